#include "ui/file_kind.h"

#include <QDir>
#include <QFileInfo>

namespace tandem::ui {

FileKind fileKind(const QString& path) {
  const QFileInfo info(path);
  if (info.isDir())
    return QDir(path).exists(QStringLiteral("config.json")) ? FileKind::Model : FileKind::Unknown;
  const QString suffix = info.suffix().toLower();
  if (suffix == QLatin1String("tandem")) return FileKind::Session;
  if (info.fileName() == QLatin1String("config.json")) return FileKind::Model;
  if (suffix == QLatin1String("safetensors") || suffix == QLatin1String("gguf")) return FileKind::Model;
  if (suffix == QLatin1String("jsonl") || suffix == QLatin1String("csv")) return FileKind::Problems;
  return FileKind::Unknown;
}

}  // namespace tandem::ui
