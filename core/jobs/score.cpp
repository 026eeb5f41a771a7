#include "core/jobs/score.h"

#include <cmath>

#include <fmt/format.h>

namespace tandem {
namespace {

constexpr const char* kNote = "verifier";

std::optional<double> score_text(const Model& verifier, std::vector<std::int32_t> ids,
                                 const std::string& text, Context& context) {
  const std::vector<std::int32_t> completion = verifier.tokenizer().encode(text, false);
  ids.insert(ids.end(), completion.begin(), completion.end());
  const std::int64_t limit = verifier.info().max_context;
  if (ids.empty() || (limit > 0 && std::ssize(ids) > limit)) return std::nullopt;
  Tensor score = Tensor::uninitialized({1, 1}, DType::F32, context.device());
  verifier.prefill(context, ids, nullptr, score);
  score = std::move(score).on_host(context);
  return 1.0 / (1.0 + std::exp(-static_cast<double>(*score.f32())));
}

}  // namespace

Status check_scores(const ModelInfo& info) {
  if (info.is_verifier) return {};
  return Error{ErrorCode::Unsupported,
               info.name + " writes completions and gives no scores, a verifier is needed"};
}

std::vector<std::optional<double>> score_texts(const Model& verifier, const std::string& question,
                                               std::span<const std::string> texts, Context& context) {
  TANDEM_CHECK(verifier.info().is_verifier, verifier.info().name + " is no verifier");
  const std::vector<std::int32_t> prompt = make_request(verifier, verifier.prompt(), question).prompt;
  std::vector<std::optional<double>> scores(texts.size());
  const auto threads = static_cast<std::size_t>(context.threads());
  context.pool().parallel_for(context.threads(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t shard = begin; shard < end; ++shard)
      for (auto i = static_cast<std::size_t>(shard); i < texts.size(); i += threads)
        scores[i] = score_text(verifier, prompt, texts[i], context.worker(static_cast<int>(shard)));
  });
  return scores;
}

Status claim_scores(const Model& verifier, Session& session, bool replace) {
  TANDEM_RETURN_IF_ERROR(check_scores(verifier.info()));
  const std::string name = fmt::format("{} (sha256 {})", verifier.info().name, verifier.info().sha256);
  TANDEM_TRY(const auto notes, session.notes());
  const auto note = notes.find(kNote);
  if (note != notes.end() && note->second != name && !replace)
    return Error{
        ErrorCode::Mismatch,
        fmt::format("{} holds scores of {}, and scores of {} do not mix with them; score the session "
                    "anew to replace them",
                    session.path(), note->second, name)};
  if (replace) TANDEM_RETURN_IF_ERROR(session.clear_scores());
  return session.set_note(kNote, name);
}

Result<std::int64_t> score_problem(const Model& verifier, std::int64_t run_id, const SessionProblem& problem,
                                   Session& session, Context& context) {
  TANDEM_TRY(const auto rows, session.completions(run_id, problem.id));
  std::vector<int> indices;
  std::vector<std::string> texts;
  for (const SessionCompletion& row : rows) {
    if (row.score || is_cut(row.completion.finish)) continue;
    indices.push_back(row.completion.index);
    texts.push_back(row.completion.text);
  }
  const auto scores = score_texts(verifier, problem.problem.question, texts, context);
  std::int64_t scored = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!scores[i]) continue;
    TANDEM_RETURN_IF_ERROR(session.set_score(run_id, problem.id, indices[i], *scores[i]));
    ++scored;
  }
  return scored;
}

Result<ScoreProgress> score_session(const Model& verifier, Session& session, bool replace, int threads,
                                    const std::function<void(const ScoreProgress&)>& on_progress,
                                    std::stop_token stop) {
  TANDEM_RETURN_IF_ERROR(claim_scores(verifier, session, replace));
  TANDEM_TRY(const auto problems, session.problems());
  TANDEM_TRY(const auto runs, session.runs());
  Context context(threads, verifier.device());
  ScoreProgress progress;
  progress.problems = std::ssize(problems) * std::ssize(runs);
  for (const SessionRun& run : runs)
    for (const SessionProblem& problem : problems) {
      if (stop.stop_requested()) return progress;
      TANDEM_TRY(const std::int64_t scored, score_problem(verifier, run.id, problem, session, context));
      progress.scored += scored;
      ++progress.done;
      on_progress(progress);
    }
  TANDEM_RETURN_IF_ERROR(session.flush());
  return progress;
}

}  // namespace tandem
