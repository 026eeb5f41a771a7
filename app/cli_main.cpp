// tandem-cli: everything the window can compute, without a window.
#include <exception>

#include <fmt/format.h>

#include "app/cli/commands.h"
#include "core/base/provenance.h"

int main(int argc, char** argv) {
  using namespace tandem::cli;
  CLI::App app("Runs a transformer teacher and state-space students side by side.", "tandem-cli");
  app.set_version_flag("--version", std::string("tandem-cli ") + tandem::tandem_version());
  app.require_subcommand(0, 1);  // without one, what is left over would not be named
  app.get_formatter()->column_width(34);
  Action action;
  addInfoCommand(app, action);
  addRunCommand(app, action);
  addEvaluateCommand(app, action);
  addScoreCommand(app, action);
  addCoverageCommand(app, action);
  addCaptureCommand(app, action);
  addDistancesCommand(app, action);
  addGradeCommand(app, action);
  addBenchCommand(app, action);
  addDevicesCommand(app, action);
  addSessionCommand(app, action);
  addCorpusCommand(app, action);
  addTokenizerCommand(app, action);
  addTrainingCommands(app, action);
  addExportCommand(app, action);
  try {
    app.parse(argc, argv);
    if (action) return action();
    fmt::print(stderr, "A command is required\n{}", app.help());
    return 2;
  } catch (const CLI::ParseError& error) {  // --help and --version too
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {  // memory, mostly: what nobody nearer could handle
    fmt::print(stderr, "tandem-cli: {}\n", error.what());
    return 1;
  }
}
