// tandem-cli session: checks a session file, or joins the shards of an evaluation.
#include "core/session/session.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/output.h"

namespace tandem::cli {
namespace {

struct Options {
  std::vector<std::string> inputs;
  std::string file;
  bool json = false;
};

int verify(const Options& options) {
  const auto findings = verify_session(options.file);
  if (!findings) return fail(findings.error());
  if (options.json) {
    printJson({{"session", options.file}, {"sound", findings->empty()}, {"findings", *findings}});
  } else if (findings->empty()) {
    fmt::print("{} is sound\n", options.file);
  } else {
    for (const std::string& finding : *findings) fmt::print("{}\n", finding);
  }
  return findings->empty() ? 0 : 1;
}

int merge(const Options& options) {
  if (const Status merged = merge_sessions(options.inputs, options.file); !merged)
    return fail(merged.error());
  if (options.json) {
    printJson({{"out", options.file}, {"inputs", options.inputs}});
  } else {
    fmt::print("{} sessions joined in {}\n", options.inputs.size(), options.file);
  }
  return 0;
}

}  // namespace

void addSessionCommand(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("session", "Checks or joins session files");
  command->require_subcommand(1);
  auto options = std::make_shared<Options>();

  auto* verifying =
      command->add_subcommand("verify", "Checks a session; exit code 1 if something is wrong with it");
  verifying->add_option("SESSION", options->file, "The file to check")->required();
  verifying->add_flag("--json", options->json, "Print JSON");
  verifying->callback([options, &action] { action = [options] { return verify(*options); }; });

  auto* merging = command->add_subcommand("merge", "Joins the shards of one evaluation in a new session");
  merging->add_option("SHARD", options->inputs, "The sessions to join")->required();
  merging->add_option("--out", options->file, "The session to write; must not exist")->required();
  merging->add_flag("--json", options->json, "Print JSON");
  merging->callback([options, &action] { action = [options] { return merge(*options); }; });
}

}  // namespace tandem::cli
