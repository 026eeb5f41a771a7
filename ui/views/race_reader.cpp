#include "ui/views/race_reader.h"

#include <algorithm>

namespace tandem::ui {
namespace {

tandem::Result<StoredSide> readSide(const RaceQuery& query, std::size_t side) {
  StoredSide stored;
  const std::int64_t run = query.runIds[side];
  if (run < 0) return stored;
  const tandem::Tokenizer* tokenizer = query.models[side] ? &query.models[side]->tokenizer() : nullptr;
  TANDEM_TRY(const auto completions, query.session->completions(run, query.problemId));
  for (const tandem::SessionCompletion& completion : completions) {
    stored.cards.append(makeCard(completion, query.graded, tokenizer));
    const CompletionCard& card = stored.cards.back();
    stored.speed.tokens += card.tokens;
    stored.speed.decodeS = std::max(stored.speed.decodeS, card.finishS);
    const bool first = stored.speed.firstStepS < 0 || card.firstTokenS < stored.speed.firstStepS;
    if (card.tokens > 0 && first) stored.speed.firstStepS = card.firstTokenS;
  }
  TANDEM_TRY(const auto timings, query.session->timings(run));
  for (const tandem::ProblemTiming& timing : timings) {
    if (timing.problem_id != query.problemId) continue;
    stored.speed.prefillS = timing.prefill_s;
    stored.speed.decodeS = timing.decode_s;
  }
  return stored;
}

tandem::Result<QString> readPreference(const RaceQuery& query) {
  TANDEM_TRY(const auto votes, query.session->votes());
  QString preference;
  for (const tandem::HumanVote& vote : votes) {
    if (vote.problem_id == query.problemId) preference = QString::fromStdString(vote.preference);
  }
  return preference;
}

}  // namespace

RaceAnswer readRace(const RaceQuery& query) {
  RaceAnswer answer;
  for (std::size_t side = 0; side < answer.sides.size(); ++side) {
    auto stored = readSide(query, side);
    if (stored) {
      answer.sides[side] = *std::move(stored);
    } else {
      answer.error = QString::fromStdString(stored.error().message);
    }
  }
  const auto preference = readPreference(query);
  if (preference) {
    answer.preference = *preference;
  } else {
    answer.error = QString::fromStdString(preference.error().message);
  }
  return answer;
}

}  // namespace tandem::ui
