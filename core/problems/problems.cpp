#include "core/problems/problems.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/resources.h"
#include "core/base/utf8.h"
#include "core/problems/csv.h"

namespace tandem {
namespace {

using Json = nlohmann::json;

constexpr std::uintmax_t kLargestFile = std::uintmax_t{1} << 28;  // 256 MiB: far above any problem set

/// One problem as its file has it, or what is wrong with its line.
struct Record {
  std::int64_t line = 0;
  Json fields;  // an object where `fault` is empty
  std::string fault;
};

Result<std::string> read_text(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return Error{ErrorCode::NotFound, fmt::format("{}: {}", path, error.message())};
  if (size > kLargestFile)
    return Error{ErrorCode::Unsupported,
                 fmt::format("{}: {} bytes; a problem file has at most {}", path, size, kLargestFile)};
  std::string text(size, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(text.data(), static_cast<std::streamsize>(size)))
    return Error{ErrorCode::Io, fmt::format("{}: cannot be read", path)};
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  return text;
}

/// One JSON object a line; blank lines are left out. A file that is one object over many lines, as MATH's
/// original files are, is one record.
std::vector<Record> read_json_lines(std::string_view text) {
  if (Json whole = Json::parse(text, nullptr, false); whole.is_object()) return {{1, std::move(whole), {}}};
  std::vector<Record> records;
  std::int64_t line = 1;
  for (std::size_t at = 0; at < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view content = text.substr(at, end - at);
    at = end + 1;
    if (content.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    Json fields = Json::parse(content, nullptr, false);
    const bool is_object = fields.is_object();
    records.push_back({line, std::move(fields), is_object ? "" : "it is not a JSON object"});
  }
  return records;
}

/// Each row under the names of the first one.
Result<std::vector<Record>> read_csv_records(const std::string& path, std::string_view text) {
  if (!is_utf8(text)) return Error{ErrorCode::BadFormat, fmt::format("{}: the text is not UTF-8", path)};
  const auto rows = parse_csv(text);
  if (!rows) return Error{rows.error().code, fmt::format("{}: {}", path, rows.error().message)};
  std::vector<Record> records;
  for (std::size_t i = 1; i < rows->size(); ++i) {
    const std::vector<std::string>& names = rows->front().fields;
    const CsvRow& row = (*rows)[i];
    Record record{row.line, Json::object(), {}};
    if (row.fields.size() != names.size())
      record.fault = fmt::format("it has {} fields, the header has {}", row.fields.size(), names.size());
    else
      for (std::size_t column = 0; column < names.size(); ++column)
        record.fields[names[column]] = row.fields[column];
    records.push_back(std::move(record));
  }
  return records;
}

/// The text of a field; nothing when it is absent or not text.
const std::string* text_field(const Json& fields, const char* name) {
  const auto field = fields.find(name);
  return field == fields.end() ? nullptr : field->get_ptr<const std::string*>();
}

/// 1 to 5 from a number, "3" or "Level 3"; 0 where there is none.
int level_of(const Json& fields) {
  const auto field = fields.find("level");
  if (field == fields.end()) return 0;
  int level = 0;
  if (field->is_number()) level = static_cast<int>(std::clamp(field->get<double>(), 0.0, 9.0));
  if (const auto* text = field->get_ptr<const std::string*>(); text != nullptr && !text->empty())
    level = text->back() - '0';
  return level >= 1 && level <= 5 ? level : 0;
}

/// The working before the last "####", without the <<a*b=c>> marks.
std::string gsm8k_solution(std::string_view answer) {
  const std::size_t marker = answer.rfind("####");
  if (marker == std::string_view::npos) return {};
  std::string solution(answer.substr(0, marker));
  for (std::size_t open = solution.find("<<"); open != std::string::npos; open = solution.find("<<", open)) {
    const std::size_t close = solution.find(">>", open);
    if (close == std::string::npos) break;
    solution.erase(open, close + 2 - open);
  }
  solution.erase(solution.find_last_not_of(" \t\r\n") + 1);
  return solution;
}

std::optional<AnswerKind> kind_of(const Json& fields) {
  if (fields.contains("question")) return AnswerKind::Gsm8k;
  if (fields.contains("problem")) return AnswerKind::Math;
  return std::nullopt;
}

/// The gold answer and the worked solution; false where the fields hold no answer.
bool read_answer(AnswerKind kind, const Json& fields, Problem& problem) {
  const std::string* answer = text_field(fields, "answer");
  const std::string* solution = text_field(fields, "solution");
  if (solution != nullptr) problem.solution = *solution;
  if (answer != nullptr) {
    problem.answer = gold_answer(kind, *answer);
    if (kind == AnswerKind::Gsm8k && solution == nullptr) problem.solution = gsm8k_solution(*answer);
  } else if (solution != nullptr) {  // MATH's original files
    problem.answer = boxed_answer(*solution).value_or("");
  }
  return !problem.answer.empty();
}

/// One problem, its index and a missing id apart. Errors say what is wrong with the line.
Result<Problem> read_problem(AnswerKind kind, const Json& fields) {
  const char* question_name = kind == AnswerKind::Gsm8k ? "question" : "problem";
  const std::string* question = text_field(fields, question_name);
  if (question == nullptr || question->empty())
    return Error{ErrorCode::BadFormat, fmt::format("'{}' is empty or no text", question_name)};
  Problem problem;
  problem.question = *question;
  if (!read_answer(kind, fields, problem))
    return Error{ErrorCode::BadFormat, "it has neither an 'answer' nor a 'solution' with a boxed one"};
  if (const std::string* id = text_field(fields, "unique_id")) problem.id = *id;
  const std::string* subject = text_field(fields, "subject");
  if (subject == nullptr) subject = text_field(fields, "type");  // MATH's original files
  if (subject != nullptr) problem.subject = *subject;
  problem.level = level_of(fields);
  return problem;
}

/// Adds a record to the set, or says what is wrong with it. The first good record decides the set's kind.
Status add_problem(const Record& record, ProblemSet& set) {
  const auto fault = [](std::string what) { return Error{ErrorCode::BadFormat, std::move(what)}; };
  if (!record.fault.empty()) return fault(record.fault);
  const std::optional<AnswerKind> kind = kind_of(record.fields);
  if (!kind) return fault("it has neither a 'question' (GSM8K) nor a 'problem' (MATH)");
  if (set.problems.empty()) set.kind = *kind;
  if (*kind != set.kind)
    return fault(fmt::format("it is of kind {}, the problems before it are of kind {}",
                             answer_kind_name(*kind), answer_kind_name(set.kind)));
  TANDEM_TRY(Problem problem, read_problem(*kind, record.fields));
  problem.index = static_cast<std::int64_t>(set.problems.size());
  if (problem.id.empty()) problem.id = fmt::format("{}-{}", set.name, problem.index);
  set.problems.push_back(std::move(problem));
  return {};
}

}  // namespace

Result<ProblemSet> read_problems(const std::string& name_or_path, bool skip_bad_lines) {
  const std::filesystem::path path =
      name_or_path == "bundled" ? resource_path("problems/bundled.jsonl") : name_or_path;
  ProblemSet set;
  set.name = path.stem().string();
  set.path = path.string();
  TANDEM_TRY(const std::string text, read_text(set.path));
  std::vector<Record> records;
  if (path.extension() == ".csv") {
    TANDEM_TRY(records, read_csv_records(set.path, text));
  } else {
    records = read_json_lines(text);
  }
  for (const Record& record : records) {
    const Status added = add_problem(record, set);
    if (added) continue;
    std::string sentence = fmt::format("{}: line {}: {}", set.path, record.line, added.error().message);
    if (!skip_bad_lines) return Error{added.error().code, std::move(sentence)};
    set.skipped.push_back(std::move(sentence));
  }
  if (set.problems.empty())
    return Error{ErrorCode::BadFormat,
                 fmt::format("{}: no problem found ({} bad lines)", set.path, set.skipped.size())};
  return set;
}

}  // namespace tandem
