// Joining shards: each input is attached to the output and its rows are copied with their ids translated.
#include <fmt/format.h>

#include "core/session/schema.h"
#include "core/session/session.h"

namespace tandem {
namespace {

using sqlite::Database;
using sqlite::Row;

/// Runs are the same when all of these are, and their prompts; the condition joins run s of the input with
/// run r of the output.
constexpr const char* kSameSettings =
    "(s.temperature, s.top_k, s.top_p, s.completions, s.batch, s.max_new_tokens, s.seed, s.mode, s.weights, "
    "s.threads, s.grader) = (r.temperature, r.top_k, r.top_p, r.completions, r.batch, r.max_new_tokens, "
    "r.seed, "
    "r.mode, r.weights, r.threads, r.grader) AND s.time_budget_s IS r.time_budget_s";

constexpr const char* kCopyModels = R"sql(
INSERT INTO model(name, sha256, path, family, config_json, info_json)
  SELECT name, sha256, path, family, config_json, info_json FROM input.model WHERE true ON CONFLICT DO NOTHING;
CREATE TEMP TABLE model_map AS
  SELECT s.id AS old, m.id AS new FROM input.model s JOIN main.model m USING(sha256, name);
)sql";

constexpr const char* kCopyProblems = R"sql(
INSERT INTO problem(set_name, set_index, kind, name, question, answer, solution, subject, level)
  SELECT set_name, set_index, kind, name, question, answer, solution, subject, level FROM input.problem
  WHERE true ON CONFLICT DO NOTHING;
CREATE TEMP TABLE problem_map AS
  SELECT s.id AS old, p.id AS new FROM input.problem s JOIN main.problem p USING(set_name, set_index);
)sql";

/// Everything that hangs on the mapped ids. Rows that several inputs hold alike are taken once.
constexpr const char* kCopyRows = R"sql(
INSERT INTO completion(run_id, problem_id, completion_index, tokens, logprobs, text, finish, first_token_s,
    finish_s, answer, correct, override_correct, override_note, score)
  SELECT r.new, p.new, completion_index, tokens, logprobs, text, finish, first_token_s, finish_s, answer, correct,
    override_correct, override_note, score
  FROM input.completion JOIN run_map r ON run_id = r.old JOIN problem_map p ON problem_id = p.old
  WHERE true ON CONFLICT DO NOTHING;
INSERT INTO sample(run_id, problem_id, time_s, step_s, occupied, mean_context)
  SELECT r.new, p.new, s.time_s, s.step_s, s.occupied, s.mean_context
  FROM input.sample s JOIN run_map r ON s.run_id = r.old JOIN problem_map p ON s.problem_id = p.old
  WHERE NOT EXISTS (SELECT 1 FROM main.timing t WHERE t.run_id = r.new AND t.problem_id = p.new)
  ORDER BY s.rowid;
INSERT INTO timing(run_id, problem_id, prompt_tokens, prefill_s, decode_s, cache_bytes, complete)
  SELECT r.new, p.new, prompt_tokens, prefill_s, decode_s, cache_bytes, complete
  FROM input.timing JOIN run_map r ON run_id = r.old JOIN problem_map p ON problem_id = p.old
  WHERE true ON CONFLICT DO NOTHING;
CREATE TEMP TABLE capture_map AS
  SELECT id AS old, id + (SELECT coalesce(max(id), 0) FROM main.capture) AS new FROM input.capture;
INSERT INTO capture(id, model_id, ids)
  SELECT c.new, m.new, ids FROM input.capture s JOIN capture_map c ON s.id = c.old
  JOIN model_map m ON model_id = m.old;
INSERT INTO matrix(capture_id, layer, head, what, kind, cells)
  SELECT c.new, layer, head, what, kind, cells FROM input.matrix JOIN capture_map c ON capture_id = c.old;
INSERT INTO vote(problem_id, preference, blind, note)
  SELECT p.new, preference, blind, note FROM input.vote JOIN problem_map p ON problem_id = p.old ORDER BY id;
INSERT INTO note(key, text) SELECT key, text FROM input.note WHERE true
  ON CONFLICT DO UPDATE SET text = text || char(10) || excluded.text WHERE text <> excluded.text;
INSERT INTO benchmark(json) SELECT json FROM input.benchmark ORDER BY id;
)sql";

/// Training runs are the same when folder, machine and begin are; what both files hold of one is taken once.
constexpr const char* kMapTrainings = R"sql(
INSERT INTO training(name, recipe, folder, teacher, device, version, started_utc, state)
  SELECT name, recipe, folder, teacher, device, version, started_utc, state FROM input.training
  WHERE true ORDER BY id ON CONFLICT DO NOTHING;
CREATE TEMP TABLE training_map AS
  SELECT s.id AS old, t.id AS new FROM input.training s JOIN main.training t USING(folder, device, started_utc);
)sql";

constexpr const char* kCopyTrainings = R"sql(
INSERT INTO training_update(training_id, stage, goal, step, steps, tokens, loss, learning_rate, gradient_norm,
    tokens_per_s, distances, relative)
  SELECT m.new, stage, goal, step, steps, tokens, loss, learning_rate, gradient_norm, tokens_per_s, distances,
    relative
  FROM input.training_update JOIN training_map m ON training_id = m.old WHERE true ON CONFLICT DO NOTHING;
INSERT INTO training_event(training_id, time_utc, kind, stage, step, text)
  SELECT m.new, time_utc, kind, stage, step, text FROM input.training_event s JOIN training_map m
  ON training_id = m.old WHERE true ORDER BY s.rowid ON CONFLICT DO NOTHING;
INSERT INTO training_snapshot(training_id, of_teacher, stage, step, ids)
  SELECT m.new, of_teacher, stage, step, ids FROM input.training_snapshot s JOIN training_map m
  ON training_id = m.old WHERE true ORDER BY s.id ON CONFLICT DO NOTHING;
CREATE TEMP TABLE snapshot_map AS
  SELECT s.id AS old, t.id AS new FROM input.training_snapshot s JOIN training_map m ON s.training_id = m.old
  JOIN main.training_snapshot t
  ON (t.training_id, t.of_teacher, t.stage, t.step) = (m.new, s.of_teacher, s.stage, s.step);
INSERT INTO training_matrix(snapshot_id, layer, heads, kind, cells, skip)
  SELECT m.new, layer, heads, kind, cells, skip FROM input.training_matrix JOIN snapshot_map m
  ON snapshot_id = m.old WHERE true ON CONFLICT DO NOTHING;
)sql";

/// An error when the query has a row; its first column says which one.
Status refuse_if_any(Database& database, const std::string& sql, const std::string& complaint) {
  std::optional<std::string> which;
  TANDEM_RETURN_IF_ERROR(database.query(sql, [&which](const Row& row) {
    if (!which) which = row.text(0);
  }));
  if (which) return Error{ErrorCode::Mismatch, fmt::format("{} ({})", complaint, *which)};
  return {};
}

/// Maps the input's runs to the output's, adding those of models that the output has no run of.
Status copy_runs(Database& database, const std::string& input) {
  TANDEM_TRY(const std::string prompt, prompt_columns(database, "input"));
  TANDEM_RETURN_IF_ERROR(
      database.execute("CREATE TEMP TABLE known AS SELECT DISTINCT model_id FROM main.run; "
                       "CREATE TEMP TABLE run_map(old INTEGER PRIMARY KEY, new INTEGER)"));
  TANDEM_RETURN_IF_ERROR(database.run(fmt::format(
      "INSERT INTO run(model_id, temperature, top_k, top_p, completions, batch, max_new_tokens, "
      "time_budget_s, seed, mode, weights, threads, device, version, grader, started_utc, finished, prompt, "
      "prompt_date) "
      "SELECT m.new, temperature, top_k, top_p, completions, batch, max_new_tokens, time_budget_s, seed, "
      "mode, weights, threads, device, version, grader, started_utc, finished, {} "
      "FROM input.run JOIN model_map m ON model_id = m.old WHERE m.new NOT IN (SELECT model_id FROM known) "
      "ORDER BY id",
      prompt)));
  TANDEM_RETURN_IF_ERROR(database.run(fmt::format(
      "INSERT INTO run_map SELECT s.id, min(r.id) FROM input.run s JOIN model_map m ON s.model_id = m.old "
      "JOIN main.run r ON r.model_id = m.new AND {} AND (r.prompt, r.prompt_date) = "
      "(SELECT {} FROM input.run WHERE id = s.id) GROUP BY s.id",
      kSameSettings, prompt)));
  TANDEM_RETURN_IF_ERROR(
      refuse_if_any(database,
                    "SELECT m.name FROM input.run s JOIN input.model m ON s.model_id = m.id "
                    "WHERE s.id NOT IN (SELECT old FROM run_map)",
                    input + " holds a run with other settings or another grader than the shards before it"));
  TANDEM_RETURN_IF_ERROR(refuse_if_any(
      database,
      "SELECT m.name FROM run_map JOIN input.run s ON s.id = old JOIN input.model m ON s.model_id = m.id "
      "GROUP BY new HAVING count(*) > 1",
      input + " holds several runs of one model with the same settings"));
  // Shards from several machines: their timings are each true of their own device.
  return database.execute(
      "UPDATE main.run AS r SET "
      "device = CASE WHEN instr(r.device, s.device) > 0 THEN r.device ELSE r.device || '; ' || s.device END, "
      "started_utc = min(r.started_utc, s.started_utc), finished = min(r.finished, s.finished) "
      "FROM run_map JOIN input.run s ON s.id = old WHERE r.id = new");
}

Status copy_trainings(Database& database, const std::string& input) {
  TANDEM_TRY(const std::int64_t version, database.query_integer("PRAGMA input.user_version"));
  if (version < kTrainingSchemaVersion) return {};
  TANDEM_RETURN_IF_ERROR(database.execute(kMapTrainings));
  TANDEM_RETURN_IF_ERROR(refuse_if_any(
      database,
      "SELECT t.name || ', stage ' || (s.stage + 1) || ', update ' || s.step FROM input.training_update s "
      "JOIN training_map m ON s.training_id = m.old JOIN main.training t ON t.id = m.new "
      "JOIN main.training_update u ON (u.training_id, u.stage, u.step) = (m.new, s.stage, s.step) "
      "WHERE s.loss <> u.loss",
      input + " holds another course of a training run than the sessions before it"));
  return database.execute(kCopyTrainings);
}

Status copy_input(Database& database, const std::string& input) {
  TANDEM_RETURN_IF_ERROR(database.execute(kCopyModels));
  TANDEM_RETURN_IF_ERROR(database.execute(kCopyProblems));
  TANDEM_RETURN_IF_ERROR(
      refuse_if_any(database,
                    "SELECT s.set_name || ' ' || s.set_index FROM input.problem s JOIN main.problem p "
                    "USING(set_name, set_index) "
                    "WHERE (s.kind, s.question, s.answer) <> (p.kind, p.question, p.answer)",
                    input + " holds another problem under the same set and index as the shards before it"));
  TANDEM_RETURN_IF_ERROR(copy_runs(database, input));
  TANDEM_RETURN_IF_ERROR(refuse_if_any(
      database,
      "SELECT 'run ' || r.new || ', problem ' || p.new || ', completion ' || s.completion_index "
      "FROM input.completion s JOIN run_map r ON s.run_id = r.old JOIN problem_map p ON s.problem_id = p.old "
      "JOIN main.completion c ON (c.run_id, c.problem_id, c.completion_index) = (r.new, p.new, "
      "s.completion_index) "
      "WHERE c.tokens <> s.tokens OR c.finish <> s.finish",
      input + " holds a completion that differs from the one the shards before it have"));
  TANDEM_RETURN_IF_ERROR(database.execute(kCopyRows));
  return copy_trainings(database, input);
}

/// A connection of its own: closing it lets go of the input and of the maps.
Status merge_input(const std::string& output, const std::string& input) {
  TANDEM_TRY(const auto database, Database::open(output, Database::Mode::ReadWrite));
  TANDEM_RETURN_IF_ERROR(
      database->run("ATTACH ? AS input", Database::uri(input, sqlite::reading_mode(input))));
  TANDEM_RETURN_IF_ERROR(database->execute("BEGIN IMMEDIATE"));
  TANDEM_RETURN_IF_ERROR(copy_input(*database, input));
  return database->execute("COMMIT");
}

}  // namespace

Status merge_sessions(std::span<const std::string> inputs, const std::string& output) {
  if (inputs.empty())
    return Error{ErrorCode::InvalidArgument, "no session to merge was named, at least one is needed"};
  for (const std::string& input : inputs) {
    TANDEM_TRY(const auto database, open_session_database(input, true));
    TANDEM_RETURN_IF_ERROR(refuse_newer_schema(*database));
  }
  TANDEM_TRY(auto created, Session::create(output));
  created.reset();
  for (const std::string& input : inputs) {
    if (Status status = merge_input(output, input); !status) {
      sqlite::remove_database(output);
      return status;
    }
  }
  return {};
}

}  // namespace tandem
