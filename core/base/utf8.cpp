#include "core/base/utf8.h"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace tandem {

bool is_utf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto lead = static_cast<unsigned char>(bytes[at]);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC0 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF8 ? 4
                                             : 0;
    if (length == 0 || length > bytes.size() - at) return false;
    std::uint32_t code = length == 1 ? lead : lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
      const auto next = static_cast<unsigned char>(bytes[at + i]);
      if ((next & 0xC0) != 0x80) return false;
      code = code << 6 | (next & 0x3FU);
    }
    constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < kSmallest[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
    at += length;
  }
  return true;
}

namespace {
constexpr const char* kReplacement = "\uFFFD";
}

void Utf8Repair::begin(unsigned char lead, std::string& text) {
  if (lead < 0x80) {
    text += static_cast<char>(lead);
    return;
  }
  if (lead < 0xC2 || lead > 0xF4) {
    text += kReplacement;
    return;
  }
  held_ = static_cast<char>(lead);
  missing_ = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  // Overlong forms, surrogates and values above U+10FFFF show in the second byte.
  low_ = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  high_ = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
}

std::string Utf8Repair::push(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    if (missing_ == 0) {
      begin(value, text);
    } else if (value < low_ || value > high_) {
      text += finish();
      begin(value, text);
    } else {
      held_ += byte;
      low_ = 0x80;
      high_ = 0xBF;
      if (--missing_ == 0) text += std::exchange(held_, {});
    }
  }
  return text;
}

std::string Utf8Repair::finish() {
  held_.clear();
  return std::exchange(missing_, 0) == 0 ? std::string() : kReplacement;
}

std::string repair_utf8(std::string_view bytes) {
  Utf8Repair repair;
  std::string text = repair.push(bytes);
  return text += repair.finish();
}

}  // namespace tandem
