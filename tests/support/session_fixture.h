// Small sessions for tests: two models, a few problems, completions with known answers and finish times.
#pragma once

#include <memory>
#include <string>

#include <QTest>

#include "core/session/session.h"

namespace tandem::test {

/// Stops the test function with the error's sentence when a Result or Status is not ok.
#define REQUIRE_OK(expression)                                                                         \
  do {                                                                                                 \
    if (const auto& require_ok = (expression); !require_ok) QFAIL(require_ok.error().message.c_str()); \
  } while (false)

inline ModelInfo some_model(const std::string& name, MixerKind mixer) {
  ModelInfo info;
  info.name = name;
  info.family = mixer == MixerKind::Attention ? "llama" : "llamba";
  info.path = "/models/" + name;
  info.sha256 = std::string(60, 'a') + name.substr(0, 4);
  info.config_json = R"({"model_type": "test"})";
  info.parameters = 1234;
  info.weight_bytes = 4936;
  info.vocab = 103;
  info.d_model = 32;
  info.d_ff = 64;
  info.max_context = 512;
  info.eos_ids = {2, 5};
  info.layers.push_back({mixer, 4, 2, 8, mixer == MixerKind::Attention ? 0 : 16, 128, 2048});
  return info;
}

/// Problem i asks for i + 1.
inline ProblemSet some_problems(int count) {
  ProblemSet set{"numbers", "numbers.jsonl", AnswerKind::Gsm8k, {}, {}};
  for (int i = 0; i < count; ++i)
    set.problems.push_back({i, "numbers-" + std::to_string(i), "What is " + std::to_string(i) + " + 1?",
                            std::to_string(i + 1), "", "", 0});
  return set;
}

/// A completion of three tokens that ends at finish_s with the given answer.
inline Completion some_completion(int index, const std::string& answer, double finish_s,
                                  FinishReason finish = FinishReason::Eos) {
  Completion completion;
  completion.index = index;
  completion.tokens = {7, index, 9};
  completion.logprobs = {-0.5F, -1.25F, -0.125F};
  completion.text = "Thinking. The final answer is " + answer + ".";
  completion.finish = finish;
  completion.first_token_s = finish_s / 4;
  completion.finish_s = finish_s;
  return completion;
}

inline SessionProblem stored(const ProblemSet& set, std::size_t index, std::int64_t id) {
  return {id, set.name, set.problems[index], set.kind};
}

/// The row that belongs to a completion, graded.
inline SessionCompletion graded(std::int64_t run_id, const SessionProblem& problem,
                                const Completion& completion) {
  const Verdict verdict = judge(problem, completion);
  SessionCompletion row;
  row.run_id = run_id;
  row.problem_id = problem.id;
  row.completion = completion;
  row.answer = verdict.answer;
  row.correct = verdict.correct;
  return row;
}

}  // namespace tandem::test
