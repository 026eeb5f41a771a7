// Verifier scores: how likely each completion is to be right, for weighted best-of-N.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/models/model.h"
#include "core/session/session.h"

namespace tandem {

/// Errors: Unsupported, when the model is not a verifier.
Status check_scores(const ModelInfo& info);

/// The sigmoid of the verifier's score at the last token of each text, read after the question in the
/// verifier's own prompt and tokens (an outcome reward model, Cobbe et al. 2021). In [0, 1]; none where
/// prompt and text are longer than the verifier's context. `verifier` must be one. The threads of `context`
/// each read whole texts, so that a score does not depend on their number.
std::vector<std::optional<double>> score_texts(const Model& verifier, const std::string& question,
                                               std::span<const std::string> texts, Context& context);

/// Makes `verifier` the one that a session's scores are of; the session's note "verifier" names it.
/// `replace`: drops the scores of another. Errors: Unsupported (not a verifier), Mismatch (the session holds
/// scores of another verifier and they are not to be replaced), those of the session.
Status claim_scores(const Model& verifier, Session& session, bool replace);

/// Scores the completions of one problem that have no score and were not cut (those do not vote).
/// @return how many got one. Errors: those of the session.
Result<std::int64_t> score_problem(const Model& verifier, std::int64_t run_id, const SessionProblem& problem,
                                   Session& session, Context& context);

struct ScoreProgress {
  std::int64_t done = 0;  // problems, counted once for each run
  std::int64_t problems = 0;
  std::int64_t scored = 0;  // completions that got a score
};

/// claim_scores(), then score_problem() of everything in the session. A stop is no error: the same call goes
/// on.
Result<ScoreProgress> score_session(const Model& verifier, Session& session, bool replace, int threads,
                                    const std::function<void(const ScoreProgress&)>& on_progress,
                                    std::stop_token stop = {});

}  // namespace tandem
