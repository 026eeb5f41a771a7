// What a path is to Tandem: for dropped files and command-line arguments.
#pragma once

#include <QString>

namespace tandem::ui {

enum class FileKind { Session, Model, Problems, Unknown };

/// By name and, for folders, by what is in them; reads no contents.
FileKind fileKind(const QString& path);

/// Whether ModelInfo::path is that of a model shipped with Tandem.
bool isBundledModel(const QString& path);

}  // namespace tandem::ui
