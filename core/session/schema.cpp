#include "core/session/schema.h"

#include <filesystem>
#include <initializer_list>

#include <fmt/format.h>

#include "core/session/session.h"

namespace tandem {
namespace {

// Version 1, and version 2, which added training. A later version may add tables and columns, never change
// the meaning of these: readers name their columns.
constexpr const char* kTables = R"sql(
CREATE TABLE model(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL, sha256 TEXT NOT NULL, path TEXT NOT NULL, family TEXT NOT NULL,
  config_json TEXT NOT NULL,
  info_json TEXT NOT NULL,
  UNIQUE(sha256, name)) STRICT;
CREATE TABLE problem(
  id INTEGER PRIMARY KEY,
  set_name TEXT NOT NULL, set_index INTEGER NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL, solution TEXT NOT NULL,
  subject TEXT NOT NULL, level INTEGER NOT NULL,
  UNIQUE(set_name, set_index)) STRICT;
CREATE TABLE run(
  id INTEGER PRIMARY KEY,
  model_id INTEGER NOT NULL REFERENCES model(id),
  temperature REAL NOT NULL, top_k INTEGER NOT NULL, top_p REAL NOT NULL,
  completions INTEGER NOT NULL, batch INTEGER NOT NULL, max_new_tokens INTEGER NOT NULL,
  time_budget_s REAL,
  seed INTEGER NOT NULL,  -- 64 bits, unsigned, stored as signed
  mode TEXT NOT NULL, weights TEXT NOT NULL, threads INTEGER NOT NULL,
  prompt TEXT NOT NULL, prompt_date TEXT NOT NULL,
  device TEXT NOT NULL, version TEXT NOT NULL, grader TEXT NOT NULL, started_utc TEXT NOT NULL,
  finished INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE completion(
  run_id INTEGER NOT NULL REFERENCES run(id),
  problem_id INTEGER NOT NULL REFERENCES problem(id),
  completion_index INTEGER NOT NULL,
  tokens BLOB NOT NULL,    -- int32
  logprobs BLOB NOT NULL,  -- float32, one per token
  text TEXT NOT NULL,
  finish TEXT NOT NULL,    -- eos, stop, length, budget, cancelled
  first_token_s REAL NOT NULL, finish_s REAL NOT NULL,  -- from the first decode step
  answer TEXT, correct INTEGER NOT NULL,
  override_correct INTEGER, override_note TEXT NOT NULL,
  score REAL,
  PRIMARY KEY(run_id, problem_id, completion_index)) STRICT;
CREATE TABLE timing(
  run_id INTEGER NOT NULL REFERENCES run(id),
  problem_id INTEGER NOT NULL REFERENCES problem(id),
  prompt_tokens INTEGER NOT NULL, prefill_s REAL NOT NULL, decode_s REAL NOT NULL,
  cache_bytes INTEGER NOT NULL, complete INTEGER NOT NULL,
  PRIMARY KEY(run_id, problem_id)) STRICT;
CREATE TABLE sample(
  run_id INTEGER NOT NULL REFERENCES run(id),
  problem_id INTEGER NOT NULL REFERENCES problem(id),
  time_s REAL NOT NULL, step_s REAL NOT NULL, occupied INTEGER NOT NULL, mean_context REAL NOT NULL) STRICT;
CREATE INDEX sample_of ON sample(run_id, problem_id);
CREATE TABLE capture(
  id INTEGER PRIMARY KEY,
  model_id INTEGER NOT NULL REFERENCES model(id),
  ids BLOB NOT NULL) STRICT;  -- int32
CREATE TABLE matrix(
  capture_id INTEGER NOT NULL REFERENCES capture(id),
  layer INTEGER NOT NULL, head INTEGER NOT NULL,
  what TEXT NOT NULL,        -- matrix, decay, content
  kind TEXT NOT NULL,        -- kind of mixer
  cells BLOB NOT NULL,       -- float16 [T, T]
  PRIMARY KEY(capture_id, layer, head, what)) STRICT;
CREATE TABLE vote(
  id INTEGER PRIMARY KEY,
  problem_id INTEGER NOT NULL REFERENCES problem(id),
  preference TEXT NOT NULL, blind INTEGER NOT NULL, note TEXT NOT NULL) STRICT;
CREATE TABLE note(key TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;
CREATE TABLE benchmark(id INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT;
)sql";

constexpr const char* kTrainingTables = R"sql(
CREATE TABLE training(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  recipe TEXT NOT NULL,     -- JSON
  folder TEXT NOT NULL,
  teacher TEXT NOT NULL,    -- empty: from scratch
  device TEXT NOT NULL, version TEXT NOT NULL, started_utc TEXT NOT NULL,
  state TEXT NOT NULL,      -- running, stopped, finished, failed
  UNIQUE(folder, device, started_utc)) STRICT;
CREATE TABLE training_update(
  training_id INTEGER NOT NULL REFERENCES training(id),
  stage INTEGER NOT NULL, goal TEXT NOT NULL,
  step INTEGER NOT NULL, steps INTEGER NOT NULL,
  tokens INTEGER NOT NULL,  -- of the run so far
  loss REAL NOT NULL, learning_rate REAL NOT NULL, gradient_norm REAL NOT NULL, tokens_per_s REAL NOT NULL,
  distances BLOB NOT NULL,  -- float32, one per layer, or empty
  relative BLOB NOT NULL,   -- the same over the teacher's norm
  PRIMARY KEY(training_id, stage, step)) STRICT;
CREATE TABLE training_event(
  training_id INTEGER NOT NULL REFERENCES training(id),
  time_utc TEXT NOT NULL, kind TEXT NOT NULL, stage INTEGER NOT NULL, step INTEGER NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY(training_id, time_utc, kind, stage, step)) STRICT;
CREATE TABLE training_snapshot(
  id INTEGER PRIMARY KEY,
  training_id INTEGER NOT NULL REFERENCES training(id),
  of_teacher INTEGER NOT NULL, stage INTEGER NOT NULL, step INTEGER NOT NULL,
  ids BLOB NOT NULL,        -- int32: the probe text
  UNIQUE(training_id, of_teacher, stage, step)) STRICT;
CREATE TABLE training_matrix(
  snapshot_id INTEGER NOT NULL REFERENCES training_snapshot(id),
  layer INTEGER NOT NULL, heads INTEGER NOT NULL,
  kind TEXT NOT NULL,       -- kind of mixer
  cells BLOB NOT NULL,      -- float16 [H, T, T]
  skip BLOB NOT NULL,       -- float32 [H], D; empty for attention
  PRIMARY KEY(snapshot_id, layer)) STRICT;
)sql";

/// Runs `scripts` and marks the file as of this version, all or nothing.
Status bring_up(sqlite::Database& database, std::initializer_list<const char*> scripts) {
  const std::string marks = fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};",
                                        kSessionApplicationId, kSessionSchemaVersion);
  TANDEM_RETURN_IF_ERROR(database.execute("BEGIN IMMEDIATE"));
  for (const char* script : scripts) TANDEM_RETURN_IF_ERROR(database.execute(script));
  TANDEM_RETURN_IF_ERROR(database.execute(marks.c_str()));
  return database.execute("COMMIT");
}

/// A page that is missing or that holds something else shows here, not in the middle of a view.
/// `has_journal`: then the last page may be in the journal only.
Status check_pages(sqlite::Database& database, bool has_journal) {
  if (!has_journal) {
    TANDEM_TRY(const std::int64_t page_bytes, database.query_integer("PRAGMA page_size"));
    std::error_code ignored;
    const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(database.path(), ignored));
    if (bytes % page_bytes != 0)
      return Error{
          ErrorCode::BadFormat,
          fmt::format("{} is damaged: it has {} bytes, which is no whole number of pages of {} bytes",
                      database.path(), bytes, page_bytes)};
  }
  std::string finding;
  TANDEM_RETURN_IF_ERROR(
      database.query("PRAGMA quick_check(1)", [&finding](const sqlite::Row& row) { finding = row.text(0); }));
  if (finding != "ok")
    return Error{ErrorCode::BadFormat, fmt::format("{} is damaged: {}", database.path(), finding)};
  return {};
}

}  // namespace

Status create_schema(sqlite::Database& database) {
  return bring_up(database, {kTables, kTrainingTables});
}

Status migrate_schema(sqlite::Database& database) {
  TANDEM_TRY(const std::int64_t version, database.query_integer("PRAGMA user_version"));
  return version >= kSessionSchemaVersion ? Status() : bring_up(database, {kTrainingTables});
}

Result<std::unique_ptr<sqlite::Database>> open_session_database(const std::string& path, bool read_only) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return Error{ErrorCode::NotFound, path + " does not exist"};
  if (std::filesystem::is_directory(path, ignored))
    return Error{ErrorCode::BadFormat, path + " is a folder, a session is a file"};
  if (std::filesystem::file_size(path, ignored) == 0)
    return Error{ErrorCode::BadFormat, path + " is not a Tandem session: the file is empty"};
  const bool has_journal = sqlite::reading_mode(path) == sqlite::Database::Mode::ReadOnly;
  TANDEM_TRY(auto database, sqlite::Database::open(path, read_only ? sqlite::reading_mode(path)
                                                                   : sqlite::Database::Mode::ReadWrite));
  TANDEM_TRY(const std::int64_t application, database->query_integer("PRAGMA application_id"));
  if (application != kSessionApplicationId)
    return Error{ErrorCode::BadFormat,
                 path + " is not a Tandem session: it is another program's SQLite database"};
  TANDEM_RETURN_IF_ERROR(check_pages(*database, has_journal));
  return database;
}

Result<std::string> prompt_columns(sqlite::Database& database, std::string_view schema) {
  TANDEM_TRY(const std::int64_t found,
             database.query_integer("SELECT count(*) FROM pragma_table_info('run', ?) WHERE name = 'prompt'",
                                    schema));
  return found > 0 ? std::string("prompt, prompt_date") : fmt::format("'model', '{}'", kTemplateDate);
}

Status add_prompt_columns(sqlite::Database& database) {
  TANDEM_TRY(const std::string columns, prompt_columns(database, "main"));
  if (columns == "prompt, prompt_date") return {};
  TANDEM_RETURN_IF_ERROR(database.execute("ALTER TABLE run ADD COLUMN prompt TEXT NOT NULL DEFAULT 'model'"));
  return database.execute(
      fmt::format("ALTER TABLE run ADD COLUMN prompt_date TEXT NOT NULL DEFAULT '{}'", kTemplateDate)
          .c_str());
}

Status refuse_newer_schema(sqlite::Database& database) {
  TANDEM_TRY(const std::int64_t version, database.query_integer("PRAGMA user_version"));
  if (version <= kSessionSchemaVersion) return {};
  return Error{
      ErrorCode::Unsupported,
      fmt::format("{} was written by a newer Tandem (schema {}, this one writes {}): it can only be opened "
                  "read-only",
                  database.path(), version, kSessionSchemaVersion)};
}

}  // namespace tandem
