// tandem-cli score: gives a session's completions a verifier's scores.
#include "core/jobs/score.h"

#include <chrono>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "app/cli/validators.h"

namespace tandem::cli {
namespace {

struct Options {
  std::string session;
  std::string verifier;
  bool replace = false;
  int threads = 1;
  bool json = false;
};

int runScore(const Options& options) {
  const Interrupt interrupt;
  const auto verifier = open_model(options.verifier);
  if (!verifier) return fail(verifier.error());
  const auto session = Session::open(options.session);
  if (!session) return fail(session.error());
  const auto begin = std::chrono::steady_clock::now();
  const auto result = [&] {
    std::optional<Progress> progress;
    return score_session(
        **verifier, **session, options.replace, options.threads,
        [&](const ScoreProgress& at) {
          if (!progress) progress.emplace("problems", at.problems);
          progress->update(at.done, fmt::format("{} completions", at.scored));
        },
        interrupt.token());
  }();
  if (!result) return fail(result.error());
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const bool stopped = result->done < result->problems;
  if (options.json)
    printJson({{"session", options.session},
               {"verifier", (*verifier)->info().name},
               {"scored", result->scored},
               {"seconds", seconds.count()},
               {"stopped", stopped}});
  else
    fmt::print("{} completions scored by {} in {:.1f} s{}\n", result->scored, (*verifier)->info().name,
               seconds.count(), stopped ? "; stopped, the same command goes on" : "");
  return stopped ? 1 : 0;
}

}  // namespace

void addScoreCommand(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("score", "Gives a session's completions the scores of a verifier");
  auto options = std::make_shared<Options>();
  command->add_option("--session", options->session, "The session to read and to write to")->required();
  command->add_option("--verifier", options->verifier, "A bundled name or a folder")->required();
  command->add_flag("--replace", options->replace,
                    "Score all completions anew, not only those without score");
  command->add_option("--threads", options->threads, "Threads")->check(kAboveZero)->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &action] { action = [options] { return runScore(*options); }; });
}

}  // namespace tandem::cli
