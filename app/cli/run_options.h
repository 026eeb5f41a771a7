// The options that `run` and `evaluate` share: models, sampler, limits.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "core/models/model.h"
#include "core/session/session.h"

namespace tandem::cli {

/// "--model NAME...", which may also be given several times.
CLI::Option* addModelOption(CLI::App& command, std::vector<std::string>& models);

/// Opens models in order. Errors: those of open_model().
Result<std::vector<std::shared_ptr<const Model>>> openModels(const std::vector<std::string>& names,
                                                             DType weights = DType::F32);

struct RunOptions {
  std::vector<std::string> models;
  RunSettings settings;
  bool together = false;

  /// @param completions the default of --completions.
  void addTo(CLI::App& command, int completions);
  Result<std::vector<std::shared_ptr<const Model>>> open() const;
  /// The settings as the session stores them.
  RunSettings chosen() const;
};

/// The existing session at `path`, or a new one.
Result<std::shared_ptr<Session>> openOrCreateSession(const std::string& path);

}  // namespace tandem::cli
