// The tables of a session file and what marks a file as a session.
#pragma once

#include <string>
#include <string_view>

#include "core/session/sqlite.h"

namespace tandem {

/// "TNDM": PRAGMA application_id, bytes 68..71 of the file.
inline constexpr std::int64_t kSessionApplicationId = 0x544E444D;

/// The first version that has tables for training runs.
inline constexpr int kTrainingSchemaVersion = 2;

/// Fills an empty database. Errors: Io.
Status create_schema(sqlite::Database& database);

/// Adds what an older version's file lacks; its rows stay as they are. Errors: Io.
Status migrate_schema(sqlite::Database& database);

/// Opens a file and checks that it is a session and undamaged. Errors: NotFound, BadFormat, Io.
Result<std::unique_ptr<sqlite::Database>> open_session_database(const std::string& path, bool read_only);

/// What to select for prompt and prompt_date from table run of a schema ("main", or an attached one): files
/// of the first Tandem lack these columns, and all their runs have the defaults. Errors: Io.
Result<std::string> prompt_columns(sqlite::Database& database, std::string_view schema);
/// Adds the columns where they are missing, before anything is written.
Status add_prompt_columns(sqlite::Database& database);

/// What a newer version wrote may be read but not added to or joined. Errors: Unsupported.
Status refuse_newer_schema(sqlite::Database& database);

}  // namespace tandem
