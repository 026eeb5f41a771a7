// The models that were opened from files, the latest first, with the tokenizer that was chosen for each.
#pragma once

#include <QList>
#include <QObject>
#include <QSettings>
#include <QString>

namespace tandem::ui {

class RecentModels : public QObject {
  Q_OBJECT
 public:
  static constexpr int kKept = 10;
  struct Entry {
    QString path;       // a folder or a file
    QString tokenizer;  // a folder or file that serves a model published without; empty: none was chosen
    bool operator==(const Entry&) const = default;
  };
  using QObject::QObject;

  /// A path as the entries spell it: absolute and clean.
  static QString normalised(const QString& path);

  const QList<Entry>& entries() const { return m_entries; }
  QString tokenizer(const QString& path) const;
  /// Puts a model first. An empty tokenizer keeps the one chosen before.
  void add(const QString& path, const QString& tokenizer = {});
  void remove(const QString& path);
  void restore(QSettings& settings);
  void save(QSettings& settings) const;

 signals:
  void changed();

 private:
  qsizetype find(const QString& path) const;
  QList<Entry> m_entries;
};

}  // namespace tandem::ui
