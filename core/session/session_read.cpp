#include <limits>

#include <fmt/format.h>

#include "core/session/half_cells.h"
#include "core/session/schema.h"
#include "core/session/session.h"
#include "core/session/session_state.h"

namespace tandem {
namespace {

using sqlite::collect;
using sqlite::Database;
using sqlite::Row;

constexpr std::int64_t kLastId = std::numeric_limits<std::int64_t>::max();

std::optional<std::string> optional_text(const Row& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.text(column);
}

std::optional<double> optional_real(const Row& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.real(column);
}

std::optional<bool> optional_bool(const Row& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.integer(column) != 0;
}

SessionProblem problem_of(const Row& row) {
  SessionProblem item;
  item.id = row.integer(0);
  item.set = row.text(1);
  item.problem.index = row.integer(2);
  item.kind = row.text(3) == answer_kind_name(AnswerKind::Math) ? AnswerKind::Math : AnswerKind::Gsm8k;
  item.problem.id = row.text(4);
  item.problem.question = row.text(5);
  item.problem.answer = row.text(6);
  item.problem.solution = row.text(7);
  item.problem.subject = row.text(8);
  item.problem.level = static_cast<int>(row.integer(9));
  return item;
}

SessionRun run_of(const Row& row) {
  SessionRun run;
  run.id = row.integer(0);
  run.model_id = row.integer(1);
  RunSettings& settings = run.settings;
  settings.sampling.temperature = static_cast<float>(row.real(2));
  settings.sampling.top_k = static_cast<int>(row.integer(3));
  settings.sampling.top_p = static_cast<float>(row.real(4));
  settings.completions = static_cast<int>(row.integer(5));
  settings.batch = static_cast<int>(row.integer(6));
  settings.max_new_tokens = static_cast<int>(row.integer(7));
  settings.time_budget_s = optional_real(row, 8);
  settings.seed = static_cast<std::uint64_t>(row.integer(9));
  settings.mode = row.text(10);
  settings.weights = row.text(11);
  settings.threads = static_cast<int>(row.integer(12));
  run.device = row.text(13);
  run.version = row.text(14);
  run.grader = row.text(15);
  run.started_utc = row.text(16);
  run.finished = row.integer(17) != 0;
  settings.prompt = row.text(18);
  settings.prompt_date = row.text(19);
  return run;
}

SessionCompletion completion_of(const Row& row) {
  SessionCompletion item;
  item.run_id = row.integer(0);
  item.problem_id = row.integer(1);
  Completion& completion = item.completion;
  completion.index = static_cast<int>(row.integer(2));
  completion.tokens = row.array<std::int32_t>(3);
  completion.logprobs = row.array<float>(4);
  completion.text = row.text(5);
  completion.finish = finish_reason_from_name(row.text(6)).value_or(FinishReason::Cancelled);
  completion.first_token_s = row.real(7);
  completion.finish_s = row.real(8);
  item.answer = optional_text(row, 9);
  item.correct = row.integer(10) != 0;
  item.override_correct = optional_bool(row, 11);
  item.override_note = row.text(12);
  item.score = optional_real(row, 13);
  return item;
}

StoredMatrix matrix_of(const Row& row) {
  StoredMatrix item;
  item.model_id = row.integer(0);
  item.ids = row.array<std::int32_t>(1);
  item.layer = row.integer(2);
  item.head = row.integer(3);
  item.what = row.text(4);
  item.kind = row.text(5);
  const auto seqlen = static_cast<std::int64_t>(item.ids.size());
  item.values = Tensor({seqlen, seqlen});
  from_half(row.array<std::uint16_t>(6), item.values);
  return item;
}

}  // namespace

Result<std::vector<SessionModel>> Session::models() const {
  return state_->read([](Database& database) {
    return collect<SessionModel>(
        database, "SELECT id, name, sha256, path, family, config_json, info_json FROM model ORDER BY id",
        [](const Row& row) {
          return SessionModel{row.integer(0), row.text(1), row.text(2), row.text(3),
                              row.text(4),    row.text(5), row.text(6)};
        });
  });
}

Result<std::vector<SessionProblem>> Session::problems() const {
  return state_->read([](Database& database) {
    return collect<SessionProblem>(
        database,
        "SELECT id, set_name, set_index, kind, name, question, answer, solution, subject, level FROM problem "
        "ORDER BY id",
        problem_of);
  });
}

Result<std::vector<SessionRun>> Session::runs() const {
  return state_->read([](Database& database) -> Result<std::vector<SessionRun>> {
    TANDEM_TRY(const std::string prompt, prompt_columns(database, "main"));
    return collect<SessionRun>(
        database,
        fmt::format("SELECT id, model_id, temperature, top_k, top_p, completions, batch, max_new_tokens, "
                    "time_budget_s, seed, mode, weights, threads, device, version, grader, started_utc, "
                    "finished, {} FROM run ORDER BY id",
                    prompt),
        run_of);
  });
}

Result<std::vector<SessionCompletion>> Session::completions(std::int64_t run_id,
                                                            std::optional<std::int64_t> problem_id) const {
  return state_->read([&](Database& database) {
    return collect<SessionCompletion>(
        database,
        "SELECT run_id, problem_id, completion_index, tokens, logprobs, text, finish, first_token_s, "
        "finish_s, "
        "answer, correct, override_correct, override_note, score FROM completion "
        "WHERE run_id = ? AND problem_id BETWEEN ? AND ? ORDER BY problem_id, completion_index",
        completion_of, run_id, problem_id.value_or(0), problem_id.value_or(kLastId));
  });
}

Result<std::vector<ProblemTiming>> Session::timings(std::int64_t run_id) const {
  return state_->read([&](Database& database) {
    return collect<ProblemTiming>(
        database,
        "SELECT run_id, problem_id, prompt_tokens, prefill_s, decode_s, cache_bytes, complete FROM timing "
        "WHERE run_id = ? ORDER BY rowid",
        [](const Row& row) {
          return ProblemTiming{row.integer(0), row.integer(1), row.integer(2),     row.real(3),
                               row.real(4),    row.integer(5), row.integer(6) != 0};
        },
        run_id);
  });
}

Result<std::vector<ThroughputSample>> Session::samples(std::int64_t run_id,
                                                       std::optional<std::int64_t> problem_id) const {
  return state_->read([&](Database& database) {
    return collect<ThroughputSample>(
        database,
        "SELECT run_id, problem_id, time_s, step_s, occupied, mean_context FROM sample "
        "WHERE run_id = ? AND problem_id BETWEEN ? AND ? ORDER BY problem_id, rowid",
        [](const Row& row) {
          return ThroughputSample{row.integer(0),
                                  row.integer(1),
                                  {row.real(2), row.real(3), static_cast<int>(row.integer(4)), row.real(5)}};
        },
        run_id, problem_id.value_or(0), problem_id.value_or(kLastId));
  });
}

Result<std::vector<StoredMatrix>> Session::matrices(std::int64_t model_id) const {
  return state_->read([&](Database& database) {
    return collect<StoredMatrix>(
        database,
        "SELECT model_id, ids, layer, head, what, kind, cells FROM matrix JOIN capture ON capture_id = id "
        "WHERE model_id = ? ORDER BY capture_id, layer, head, what DESC",
        matrix_of, model_id);
  });
}

Result<std::vector<HumanVote>> Session::votes() const {
  return state_->read([](Database& database) {
    return collect<HumanVote>(
        database, "SELECT problem_id, preference, blind, note FROM vote ORDER BY id", [](const Row& row) {
          return HumanVote{row.integer(0), row.text(1), row.integer(2) != 0, row.text(3)};
        });
  });
}

Result<std::map<std::string, std::string>> Session::notes() const {
  return state_->read([](Database& database) -> Result<std::map<std::string, std::string>> {
    std::map<std::string, std::string> notes;
    TANDEM_RETURN_IF_ERROR(database.query("SELECT key, text FROM note",
                                          [&](const Row& row) { notes.emplace(row.text(0), row.text(1)); }));
    return notes;
  });
}

Result<std::vector<std::string>> Session::benchmarks() const {
  return state_->read([](Database& database) {
    return collect<std::string>(database, "SELECT json FROM benchmark ORDER BY id",
                                [](const Row& row) { return row.text(0); });
  });
}

}  // namespace tandem
