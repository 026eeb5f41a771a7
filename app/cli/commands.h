// The commands of tandem-cli. Each lives in a file of its name and registers itself on the application.
// A command's function returns the process's exit code: 0 ok, 1 failed, 2 usage.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace tandem::cli {

/// Set by the command that was chosen; run by main() after parsing.
using Action = std::function<int()>;

void addInfoCommand(CLI::App& app, Action& action);
void addRunCommand(CLI::App& app, Action& action);
void addEvaluateCommand(CLI::App& app, Action& action);
void addScoreCommand(CLI::App& app, Action& action);
void addCoverageCommand(CLI::App& app, Action& action);
void addCaptureCommand(CLI::App& app, Action& action);
void addDistancesCommand(CLI::App& app, Action& action);
void addGradeCommand(CLI::App& app, Action& action);
void addCorpusCommand(CLI::App& app, Action& action);
void addTokenizerCommand(CLI::App& app, Action& action);
void addTrainingCommands(CLI::App& app, Action& action);
void addExportCommand(CLI::App& app, Action& action);
void addBenchCommand(CLI::App& app, Action& action);
void addDevicesCommand(CLI::App& app, Action& action);
void addSessionCommand(CLI::App& app, Action& action);

}  // namespace tandem::cli
