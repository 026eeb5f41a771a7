#include "core/models/prompt_format.h"

#include <filesystem>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/base/json.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kQuestion = "{question}";
constexpr std::string_view kAnswer = "{answer}";
constexpr std::int64_t kMaxBytes = 16 << 20;

/// The template of tokenizer_config.json: a text, or the default one of several.
Result<std::string> stored_template(const fs::path& path) {
  const std::string file = path.filename().string();
  TANDEM_TRY(const std::string text, read_file(path.string(), kMaxBytes));
  TANDEM_TRY(const nlohmann::json document, parse_json_object(text, file));
  const JsonFields fields(document, file);
  if (!fields.has("chat_template")) return std::string();
  if (!document["chat_template"].is_array()) return fields.text("chat_template");
  for (const nlohmann::json& entry : document["chat_template"]) {
    if (!entry.is_object()) return fields.wrong("chat_template", "a text, or an array of objects");
    const JsonFields named(entry, file);
    TANDEM_TRY(const std::string name, named.text("name", ""));
    if (name == "default") return named.text("template");
  }
  return std::string();
}

}  // namespace

std::string PromptFormat::apply(const std::string& question) const {
  std::string prompt;
  std::size_t at = 0;
  for (std::size_t found = 0; (found = template_text.find(kQuestion, at)) != std::string::npos;
       at = found + kQuestion.size())
    prompt.append(template_text, at, found - at).append(question);
  return prompt.append(template_text, at);
}

Result<PromptFormat> read_prompt_format(const std::string& path) {
  PromptFormat format;
  const auto text = read_file(path, kMaxBytes);
  if (!text && text.error().code == ErrorCode::NotFound) return format;
  if (!text) return text.error();
  const std::string file = std::filesystem::path(path).filename().string();
  TANDEM_TRY(const nlohmann::json document, parse_json_object(*text, file));
  const JsonFields fields(document, file);
  TANDEM_TRY(format.template_text, fields.text("template", format.template_text));
  TANDEM_TRY(format.answer_text, fields.text("answer", format.answer_text));
  TANDEM_TRY(format.eos_token, fields.text("eos_token", format.eos_token));
  if (format.template_text.find(kQuestion) == std::string::npos)
    return fields.wrong("template", fmt::format("a text with {} in it", kQuestion));
  if (!format.answer_text.empty() && format.answer_text.find(kAnswer) == std::string::npos)
    return fields.wrong("answer", fmt::format("a text with {} in it", kAnswer));
  return format;
}

Result<PromptFormat> read_folder_prompt(const std::string& folder) {
  const fs::path root = folder;
  std::error_code ignored;
  if (fs::exists(root / "prompt.json", ignored)) return read_prompt_format((root / "prompt.json").string());
  if (fs::exists(root / "chat_template.jinja", ignored)) {
    TANDEM_TRY(const std::string jinja, read_file((root / "chat_template.jinja").string(), kMaxBytes));
    return chat_prompt(jinja);
  }
  if (!fs::exists(root / "tokenizer_config.json", ignored)) return PromptFormat();
  TANDEM_TRY(const std::string jinja, stored_template(root / "tokenizer_config.json"));
  return chat_prompt(jinja);
}

}  // namespace tandem
