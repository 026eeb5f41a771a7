// Conversations as the text that instruct models were trained on: ChatML, and Llama-3 with or without its
// date (models.md 1.5 and 7.2). A model's own template is recognised, never executed.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tandem {

/// The date that Llama-3's template names when nobody tells it today's: the same prompt every day.
inline constexpr const char* kTemplateDate = "26 Jul 2024";

struct ChatTurn {
  std::string role;  // "system", "user" or "assistant"
  std::string content;
};

struct ChatTemplate {
  enum class Style { ChatMl, Llama3, Llama3Dated };
  Style style = Style::ChatMl;
  std::string system;  // opens a ChatML conversation that begins otherwise; empty: none

  /// The turns, and the beginning of the assistant's next one.
  std::string render(std::span<const ChatTurn> turns, std::string_view date = kTemplateDate) const;
};

/// The style of a Jinja template, by the tokens it writes; nothing when it is none of these.
std::optional<ChatTemplate> recognise_chat_template(std::string_view jinja);

}  // namespace tandem
