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

/// "--device"; `chosen` stays as it is without it.
void addDeviceOption(CLI::App& command, Device*& chosen);

/// "--device", "--tokenizer" and "--attention-rope".
void addLoadOptions(CLI::App& command, LoadOptions& options);

/// "--cache-type" and "--state-type".
void addStateTypeOptions(CLI::App& command, StateStorage& storage);

/// "--cache-type", "--state-type" and "--write-states-every".
void addStorageOptions(CLI::App& command, StateStorage& storage);

/// Opens models in order; one that has no tokenizer takes the first one's. Errors: those of open_model().
Result<std::vector<std::shared_ptr<const Model>>> openModels(const std::vector<std::string>& names,
                                                             LoadOptions options);
/// open_model() with its progress on standard error; random_model() likewise.
Result<std::shared_ptr<const Model>> openModel(const std::string& name, LoadOptions options);
Result<std::shared_ptr<const Model>> makeRandomModel(const std::string& shape, LoadOptions options);

struct RunOptions {
  std::vector<std::string> models;
  LoadOptions load;
  RunSettings settings;
  StateStorage storage;
  bool together = false;

  /// @param completions the default of --completions.
  void addTo(CLI::App& command, int completions);
  Result<std::vector<std::shared_ptr<const Model>>> open(std::stop_token stop) const;
  /// The settings as the session stores them.
  RunSettings chosen() const;
};

/// The existing session at `path`, or a new one.
Result<std::shared_ptr<Session>> openOrCreateSession(const std::string& path);

}  // namespace tandem::cli
