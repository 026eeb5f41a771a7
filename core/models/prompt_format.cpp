#include "core/models/prompt_format.h"

#include <filesystem>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/base/json.h"

namespace tandem {
namespace {

constexpr std::string_view kQuestion = "{question}";
constexpr std::string_view kAnswer = "{answer}";

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
  constexpr std::int64_t kMaxBytes = 1 << 20;
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

}  // namespace tandem
