// JSON documents under tests/data.
#pragma once

#include <QFile>
#include <QJsonDocument>
#include <QString>

namespace tandem::test {

/// The document tests/data/`name`. Ends the test program when it is not there.
inline QJsonDocument readDocument(const QString& name) {
  QFile file(QStringLiteral(TANDEM_TEST_DATA "/") + name);
  if (!file.open(QIODevice::ReadOnly)) qFatal("%s is not there", qPrintable(file.fileName()));
  return QJsonDocument::fromJson(file.readAll());
}

}  // namespace tandem::test
