// A finished run as a model folder to ship: small weights, and how it was trained.
#pragma once

#include <string>

#include "core/base/result.h"

namespace tandem::training {

inline constexpr const char* kCurveName = "curve.csv";

/// Writes into `out` (made if absent) what opens as a model, with the weights rounded to bf16, and with the
/// recipe and kCurveName: the log's means over runs of updates, at most 200 lines, columns stage, goal,
/// step, tokens, loss, learning_rate and, where a stage has them, distance_0, distance_1, ...
/// Errors: those of the run's files; InvalidArgument (`out` holds a model already); Io.
Status export_run(const std::string& run_folder, const std::string& out);

}  // namespace tandem::training
