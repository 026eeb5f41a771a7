#include "core/models/chat_template.h"

#include <fmt/format.h>

namespace tandem {
namespace {

constexpr std::string_view kTurnStart = "<|im_start|>";
constexpr std::string_view kTurnEnd = "<|im_end|>";
constexpr std::string_view kHeaderStart = "<|start_header_id|>";
constexpr std::string_view kKnowledgeDate = "Cutting Knowledge Date: December 2023";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) + 1 - begin);
}

std::string render_chatml(std::span<const ChatTurn> turns, std::string_view system) {
  std::string text;
  const auto add = [&text](std::string_view role, std::string_view content) {
    text += fmt::format("{}{}\n{}{}\n", kTurnStart, role, content, kTurnEnd);
  };
  if (!system.empty() && (turns.empty() || turns.front().role != "system")) add("system", system);
  for (const ChatTurn& turn : turns) add(turn.role, turn.content);
  return text + fmt::format("{}assistant\n", kTurnStart);
}

std::string render_llama3(std::span<const ChatTurn> turns, bool dated, std::string_view date) {
  std::string text = "<|begin_of_text|>";
  const auto header = [](std::string_view role) {
    return fmt::format("{}{}<|end_header_id|>\n\n", kHeaderStart, role);
  };
  const auto add = [&](std::string_view role, std::string_view content) {
    text += fmt::format("{}{}<|eot_id|>", header(role), content);
  };
  if (dated) {  // a system turn always, with the dates before its text
    std::string_view system;
    if (!turns.empty() && turns.front().role == "system") {
      system = trimmed(turns.front().content);
      turns = turns.subspan(1);
    }
    add("system", fmt::format("{}\nToday Date: {}\n\n{}", kKnowledgeDate, date, system));
  }
  for (const ChatTurn& turn : turns) add(turn.role, trimmed(turn.content));
  return text + header("assistant");
}

/// The system text that a ChatML template writes by itself: a literal in it, or nothing.
std::string default_system(std::string_view jinja) {
  const std::string start = fmt::format("{}system", kTurnStart);
  for (std::size_t at = 0; (at = jinja.find(start, at)) != std::string_view::npos;) {
    at += start.size();
    std::string_view rest = jinja.substr(at);
    if (rest.starts_with('\n'))
      rest.remove_prefix(1);
    else if (rest.starts_with("\\n"))
      rest.remove_prefix(2);
    else
      continue;
    const std::string_view literal = rest.substr(0, rest.find(kTurnEnd));
    if (literal.size() < rest.size() && literal.find_first_of("'\"{}\\") == std::string_view::npos)
      return std::string(literal);
  }
  return {};
}

}  // namespace

std::string ChatTemplate::render(std::span<const ChatTurn> turns, std::string_view date) const {
  if (style == Style::ChatMl) return render_chatml(turns, system);
  return render_llama3(turns, style == Style::Llama3Dated, date);
}

std::optional<ChatTemplate> recognise_chat_template(std::string_view jinja) {
  const auto writes = [jinja](std::string_view text) { return jinja.find(text) != std::string_view::npos; };
  if (writes(kTurnStart)) return ChatTemplate{ChatTemplate::Style::ChatMl, default_system(jinja)};
  if (!writes(kHeaderStart)) return std::nullopt;
  return ChatTemplate{writes("Today Date: ") ? ChatTemplate::Style::Llama3Dated : ChatTemplate::Style::Llama3,
                      {}};
}

}  // namespace tandem
