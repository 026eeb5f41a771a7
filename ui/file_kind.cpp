#include "ui/file_kind.h"

#include <QDir>
#include <QFileInfo>

#include "core/base/resources.h"

namespace tandem::ui {

FileKind fileKind(const QString& path) {
  const QFileInfo info(path);
  if (info.isDir()) {
    const QStringList files = QDir(path).entryList(
        {QStringLiteral("config.json"), QStringLiteral("*.gguf"), QStringLiteral("pytorch_model*.bin")},
        QDir::Files);
    return files.isEmpty() ? FileKind::Unknown : FileKind::Model;
  }
  const QString suffix = info.suffix().toLower();
  if (suffix == QLatin1String("tandem")) return FileKind::Session;
  if (QDir::match({QStringLiteral("config.json"), QStringLiteral("pytorch_model*.bin")}, info.fileName()))
    return FileKind::Model;
  if (suffix == QLatin1String("safetensors") || suffix == QLatin1String("gguf")) return FileKind::Model;
  if (suffix == QLatin1String("jsonl") || suffix == QLatin1String("csv")) return FileKind::Problems;
  return FileKind::Unknown;
}

bool isBundledModel(const QString& path) {
  return QFileInfo(path).dir() == QDir(QString::fromStdString(tandem::resource_path("models")));
}

}  // namespace tandem::ui
