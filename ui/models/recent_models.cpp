#include "ui/models/recent_models.h"

#include <algorithm>
#include <utility>

#include <QDir>
#include <QFileInfo>

namespace tandem::ui {
namespace {

const QString kArray = QStringLiteral("models/recent");
const QString kPath = QStringLiteral("path");
const QString kTokenizer = QStringLiteral("tokenizer");

}  // namespace

QString RecentModels::normalised(const QString& path) {
  return QDir::cleanPath(QFileInfo(path).absoluteFilePath());
}

qsizetype RecentModels::find(const QString& path) const {
  const auto entry = std::find_if(m_entries.begin(), m_entries.end(),
                                  [wanted = normalised(path)](const Entry& e) { return e.path == wanted; });
  return entry == m_entries.end() ? -1 : entry - m_entries.begin();
}

QString RecentModels::tokenizer(const QString& path) const {
  const qsizetype at = find(path);
  return at < 0 ? QString() : m_entries[at].tokenizer;
}

void RecentModels::add(const QString& path, const QString& tokenizer) {
  const QList<Entry> before = m_entries;
  Entry entry{normalised(path), tokenizer};
  if (const qsizetype at = find(path); at >= 0) {
    if (tokenizer.isEmpty()) entry.tokenizer = m_entries[at].tokenizer;
    m_entries.removeAt(at);
  }
  m_entries.prepend(std::move(entry));
  if (m_entries.size() > kKept) m_entries.resize(kKept);
  if (m_entries != before) emit changed();
}

void RecentModels::remove(const QString& path) {
  const qsizetype at = find(path);
  if (at < 0) return;
  m_entries.removeAt(at);
  emit changed();
}

void RecentModels::restore(QSettings& settings) {
  m_entries.clear();
  const int count = std::min(settings.beginReadArray(kArray), kKept);
  for (int i = 0; i < count; ++i) {
    settings.setArrayIndex(i);
    const QString path = settings.value(kPath).toString();
    if (!path.isEmpty() && find(path) < 0)
      m_entries.append({normalised(path), settings.value(kTokenizer).toString()});
  }
  settings.endArray();
  emit changed();
}

void RecentModels::save(QSettings& settings) const {
  settings.remove(kArray);
  settings.beginWriteArray(kArray, static_cast<int>(m_entries.size()));
  for (int i = 0; i < m_entries.size(); ++i) {
    settings.setArrayIndex(i);
    settings.setValue(kPath, m_entries[i].path);
    settings.setValue(kTokenizer, m_entries[i].tokenizer);
  }
  settings.endArray();
}

}  // namespace tandem::ui
