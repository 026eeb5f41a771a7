// tandem-cli corpus, tandem-cli tokenizer: generated word problems as a file, and a tokenizer trained on such
// a file.
#include "core/corpus/corpus.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "core/base/file.h"
#include "core/corpus/bpe_trainer.h"

namespace tandem::cli {
namespace {

struct CorpusCommand {
  corpus::CorpusOptions corpus;
  std::uint64_t count = 0;
  bool heldOut = false;
  std::string out;
  bool json = false;
};

int runCorpus(CorpusCommand command) {
  constexpr std::uint64_t kStep = 1000;
  const Interrupt interrupt;
  command.corpus.problems.split = command.heldOut ? corpus::Split::HeldOut : corpus::Split::Train;
  if (const Status status = check_options(command.corpus); !status) return fail(status.error());
  std::vector<std::string> pieces;
  {
    Progress progress("problems", static_cast<std::int64_t>(command.count));
    for (std::uint64_t first = 0; first < command.count; first += kStep) {
      if (interrupt.token().stop_requested())
        return fail({ErrorCode::Cancelled, "stopped; nothing was written"});
      pieces.push_back(corpus_lines(command.corpus, first, std::min(kStep, command.count - first)));
      progress.update(static_cast<std::int64_t>(std::min(first + kStep, command.count)), "");
    }
  }
  const std::vector<std::string_view> parts(pieces.begin(), pieces.end());
  if (const Status written = write_file(command.out, parts); !written) return fail(written.error());
  const char* split = command.heldOut ? "held-out" : "training";
  if (command.json)
    printJson({{"out", command.out},
               {"problems", command.count},
               {"seed", command.corpus.problems.seed},
               {"split", split}});
  else
    fmt::print("{} {} problems of seed {} written to {}\n", command.count, split,
               command.corpus.problems.seed, command.out);
  return 0;
}

struct TokenizerCommand {
  std::string corpus;
  corpus::BpeOptions bpe;
  std::string out;
  bool json = false;
};

int runTokenizer(const TokenizerCommand& command) {
  if (const Status status = check_options(command.bpe); !status) return fail(status.error());
  const auto examples = corpus::read_corpus(command.corpus);
  if (!examples) return fail(examples.error());
  corpus::BpeTrainer trainer;
  for (const corpus::Example& example : *examples) trainer.add(example.text());
  const corpus::TrainedTokenizer trained = trainer.train(command.bpe);
  const std::string_view part = trained.json;
  if (const Status written = write_file(command.out, std::span(&part, 1)); !written)
    return fail(written.error());
  if (command.json)
    printJson({{"out", command.out}, {"vocab", trained.vocab}, {"examples", examples->size()}});
  else
    fmt::print("{} tokens, learned from {} examples, written to {}\n", trained.vocab, examples->size(),
               command.out);
  return 0;
}

}  // namespace

void addCorpusCommand(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("corpus", "Writes generated word problems, one JSON object a line");
  auto options = std::make_shared<CorpusCommand>();
  command->add_option("--seed", options->corpus.problems.seed, "Which problems")->required();
  command->add_option("--count", options->count, "How many")->required()->check(CLI::Range(1, 100'000'000));
  command->add_flag("--heldout", options->heldOut, "From the set that training never sees");
  command->add_option("--min-steps", options->corpus.problems.min_steps, "Fewest steps of a solution")
      ->capture_default_str();
  command->add_option("--max-steps", options->corpus.problems.max_steps, "Most steps of a solution")
      ->capture_default_str();
  command
      ->add_option("--direct-share", options->corpus.direct_share,
                   "Share of problems answered without reasoning, under their own prompt")
      ->capture_default_str();
  command->add_option("--out", options->out, "The .jsonl file to write")->required();
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &action] { action = [options] { return runCorpus(*options); }; });
}

void addTokenizerCommand(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("tokenizer", "Trains a byte-level BPE tokenizer on a corpus file");
  auto options = std::make_shared<TokenizerCommand>();
  command->add_option("--corpus", options->corpus, "A .jsonl file of the corpus command")->required();
  command->add_option("--vocab", options->bpe.vocab, "Tokens, bytes and specials included")
      ->capture_default_str();
  command->add_option("--out", options->out, "The tokenizer.json to write")->required();
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &action] { action = [options] { return runTokenizer(*options); }; });
}

}  // namespace tandem::cli
