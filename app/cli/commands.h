// The commands of tandem-cli. Each lives in a file of its name and registers itself on the application.
// A command's function returns the process's exit code: 0 ok, 1 failed, 2 usage.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace tandem::cli {

/// Set by the command that was chosen; run by main() after parsing.
using Action = std::function<int()>;

void add_info_command(CLI::App& app, Action& action);
void add_run_command(CLI::App& app, Action& action);
void add_evaluate_command(CLI::App& app, Action& action);
void add_coverage_command(CLI::App& app, Action& action);
void add_capture_command(CLI::App& app, Action& action);
void add_grade_command(CLI::App& app, Action& action);
void add_bench_command(CLI::App& app, Action& action);
void add_session_command(CLI::App& app, Action& action);

}  // namespace tandem::cli
