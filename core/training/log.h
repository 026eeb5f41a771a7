// A run folder's log.jsonl: one line an update.
#pragma once

#include <string>
#include <vector>

#include "core/training/observer.h"

namespace tandem::training {

inline constexpr const char* kLogName = "log.jsonl";
inline constexpr const char* kRecipeName = "recipe.json";

/// An update as a line, with its end.
std::string log_line(const TrainingUpdate& update);

/// All whole lines of a folder's log, in order. What older logs lack is filled in from the recipe (tokens) or
/// left empty (relative distances); a last line that was cut off is left out. Errors: NotFound, Io; BadFormat
/// (file and line).
Result<std::vector<TrainingUpdate>> read_log(const std::string& folder, const Recipe& recipe);

}  // namespace tandem::training
