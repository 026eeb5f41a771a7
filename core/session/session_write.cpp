#include <fmt/format.h>

#include "core/base/provenance.h"
#include "core/session/half_cells.h"
#include "core/session/session.h"
#include "core/session/session_state.h"

namespace tandem {
namespace {

Status insert_layer(sqlite::Database& database, std::int64_t capture_id, const LayerMatrices& layer) {
  const auto insert_stack = [&](const char* what, const Tensor& stack) -> Status {
    if (stack.empty()) return {};
    const std::int64_t cells = stack.shape()[1] * stack.shape()[2];
    for (std::size_t h = 0; h < layer.heads.size(); ++h)
      TANDEM_RETURN_IF_ERROR(database.run(
          "INSERT INTO matrix(capture_id, layer, head, what, kind, cells) VALUES(?, ?, ?, ?, ?, ?)",
          capture_id, layer.layer, layer.heads[h], what, mixer_kind_name(layer.kind),
          sqlite::blob_of(to_half(stack.view().row(static_cast<std::int64_t>(h)), cells))));
    return {};
  };
  TANDEM_RETURN_IF_ERROR(insert_stack("matrix", layer.matrix));
  TANDEM_RETURN_IF_ERROR(insert_stack("decay", layer.decay));
  return insert_stack("content", layer.content);
}

/// What an UPDATE of one completion says when there is none.
Status check_found(bool found, const std::string& path, std::int64_t run_id, std::int64_t problem_id,
                   int index) {
  if (found) return {};
  return Error{ErrorCode::NotFound, fmt::format("{} has no completion {} of problem {} in run {}", path,
                                                index, problem_id, run_id)};
}

}  // namespace

Result<std::int64_t> Session::add_model(const ModelInfo& info) {
  return state_->write([&](sqlite::Database& database) -> Result<std::int64_t> {
    TANDEM_RETURN_IF_ERROR(database.run(
        "INSERT INTO model(name, sha256, path, family, config_json, info_json) VALUES(?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        info.name, info.sha256, info.path, info.family, info.config_json, to_json(info)));
    return database.query_integer("SELECT id FROM model WHERE sha256 = ? AND name = ?", info.sha256,
                                  info.name);
  });
}

Result<std::int64_t> Session::add_problem(const ProblemSet& set, const Problem& problem) {
  return state_->write([&](sqlite::Database& database) -> Result<std::int64_t> {
    TANDEM_RETURN_IF_ERROR(database.run(
        "INSERT INTO problem(set_name, set_index, kind, name, question, answer, solution, subject, level) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        set.name, problem.index, answer_kind_name(set.kind), problem.id, problem.question, problem.answer,
        problem.solution, problem.subject, problem.level));
    auto id = database.query_integer(
        "SELECT id FROM problem WHERE set_name = ? AND set_index = ? AND question = ? AND answer = ?",
        set.name, problem.index, problem.question, problem.answer);
    if (!id && id.error().code == ErrorCode::NotFound)
      return Error{
          ErrorCode::Mismatch,
          fmt::format("{} holds another problem {} of the set '{}': the same problems are needed to go on",
                      path(), problem.index, set.name)};
    return id;
  });
}

Result<std::int64_t> Session::add_run(std::int64_t model_id, const RunSettings& settings,
                                      const std::string& device) {
  return state_->write([&](sqlite::Database& database) -> Result<std::int64_t> {
    TANDEM_RETURN_IF_ERROR(database.run(
        "INSERT INTO run(model_id, temperature, top_k, top_p, completions, batch, "
        "max_new_tokens, time_budget_s, "
        "seed, mode, weights, threads, prompt, prompt_date, device, version, grader, started_utc) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        model_id, settings.sampling.temperature, settings.sampling.top_k, settings.sampling.top_p,
        settings.completions, settings.batch, settings.max_new_tokens, settings.time_budget_s, settings.seed,
        settings.mode, settings.weights, settings.threads, settings.prompt, settings.prompt_date, device,
        tandem_version(), kGraderVersion, utc_now()));
    return database.last_insert_id();
  });
}

Status Session::add_device(std::int64_t run_id, const std::string& device) {
  return state_->write([&](sqlite::Database& database) {
    return database.run(
        "UPDATE run SET device = device || '; ' || ? "
        "WHERE id = ? AND instr('; ' || device || '; ', '; ' || ? || '; ') = 0",
        device, run_id, device);
  });
}

Status Session::finish_run(std::int64_t run_id) {
  return state_->write([&](sqlite::Database& database) {
    return database.run("UPDATE run SET finished = 1 WHERE id = ?", run_id);
  });
}

Status Session::add_completion(const SessionCompletion& row) {
  return state_->write([&](sqlite::Database& database) {
    const Completion& completion = row.completion;
    return database.run(
        "INSERT OR REPLACE INTO completion(run_id, problem_id, completion_index, tokens, logprobs, text, "
        "finish, "
        "first_token_s, finish_s, answer, correct, override_correct, override_note, score) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.run_id, row.problem_id, completion.index, sqlite::blob_of(completion.tokens),
        sqlite::blob_of(completion.logprobs), completion.text, finish_reason_name(completion.finish),
        completion.first_token_s, completion.finish_s, row.answer, row.correct, row.override_correct,
        row.override_note, row.score);
  });
}

Status Session::add_timing(const ProblemTiming& timing) {
  return state_->write([&](sqlite::Database& database) {
    return database.run(
        "INSERT OR REPLACE INTO timing(run_id, problem_id, prompt_tokens, prefill_s, decode_s, cache_bytes, "
        "complete) VALUES(?, ?, ?, ?, ?, ?, ?)",
        timing.run_id, timing.problem_id, timing.prompt_tokens, timing.prefill_s, timing.decode_s,
        timing.cache_bytes, timing.complete);
  });
}

Status Session::add_samples(std::span<const ThroughputSample> samples) {
  return state_->write([&](sqlite::Database& database) -> Status {
    for (const ThroughputSample& sample : samples)
      TANDEM_RETURN_IF_ERROR(
          database.run("INSERT INTO sample(run_id, problem_id, time_s, step_s, occupied, mean_context) "
                       "VALUES(?, ?, ?, ?, ?, ?)",
                       sample.run_id, sample.problem_id, sample.step.time_s, sample.step.step_s,
                       sample.step.occupied, sample.step.mean_context));
    return {};
  });
}

Status Session::clear_problem(std::int64_t run_id, std::int64_t problem_id) {
  return state_->write([&](sqlite::Database& database) -> Status {
    for (const char* sql : {"DELETE FROM completion WHERE run_id = ? AND problem_id = ?",
                            "DELETE FROM sample WHERE run_id = ? AND problem_id = ?",
                            "DELETE FROM timing WHERE run_id = ? AND problem_id = ?"})
      TANDEM_RETURN_IF_ERROR(database.run(sql, run_id, problem_id));
    return {};
  });
}

Status Session::add_matrices(std::int64_t model_id, const Capture& capture) {
  return state_->write([&](sqlite::Database& database) -> Status {
    TANDEM_RETURN_IF_ERROR(database.run("INSERT INTO capture(model_id, ids) VALUES(?, ?)", model_id,
                                        sqlite::blob_of(capture.ids)));
    const std::int64_t capture_id = database.last_insert_id();
    for (const LayerMatrices& layer : capture.layers)
      TANDEM_RETURN_IF_ERROR(insert_layer(database, capture_id, layer));
    return {};
  });
}

Status Session::add_vote(const HumanVote& vote) {
  return state_->write([&](sqlite::Database& database) {
    return database.run("INSERT INTO vote(problem_id, preference, blind, note) VALUES(?, ?, ?, ?)",
                        vote.problem_id, vote.preference, vote.blind, vote.note);
  });
}

Status Session::set_override(std::int64_t run_id, std::int64_t problem_id, int index,
                             std::optional<bool> correct, const std::string& note) {
  return state_->write([&](sqlite::Database& database) -> Status {
    bool found = false;
    TANDEM_RETURN_IF_ERROR(database.query(
        "UPDATE completion SET override_correct = ?, override_note = ? "
        "WHERE run_id = ? AND problem_id = ? AND completion_index = ? RETURNING 1",
        [&found](const sqlite::Row&) { found = true; }, correct, note, run_id, problem_id, index));
    return check_found(found, path(), run_id, problem_id, index);
  });
}

Status Session::set_score(std::int64_t run_id, std::int64_t problem_id, int index, double score) {
  return state_->write([&](sqlite::Database& database) -> Status {
    bool found = false;
    TANDEM_RETURN_IF_ERROR(database.query(
        "UPDATE completion SET score = ? "
        "WHERE run_id = ? AND problem_id = ? AND completion_index = ? RETURNING 1",
        [&found](const sqlite::Row&) { found = true; }, score, run_id, problem_id, index));
    return check_found(found, path(), run_id, problem_id, index);
  });
}

Status Session::clear_scores() {
  return state_->write(
      [](sqlite::Database& database) { return database.run("UPDATE completion SET score = NULL"); });
}

Status Session::set_note(const std::string& key, const std::string& text) {
  return state_->write([&](sqlite::Database& database) {
    return database.run("INSERT OR REPLACE INTO note(key, text) VALUES(?, ?)", key, text);
  });
}

Status Session::add_benchmark(const std::string& json) {
  return state_->write([&](sqlite::Database& database) {
    return database.run("INSERT INTO benchmark(json) VALUES(?)", json);
  });
}

}  // namespace tandem
