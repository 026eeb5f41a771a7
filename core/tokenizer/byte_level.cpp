#include "core/tokenizer/byte_level.h"

#include <array>
#include <cstdint>

namespace tandem {
namespace {

constexpr int kLastCharacter = 0x143;  // 256 + the 68 bytes that do not stand for themselves, less one

/// Byte of each character U+0000..U+0143, -1 where there is none.
constexpr std::array<std::int16_t, kLastCharacter + 1> make_bytes() {
  std::array<std::int16_t, kLastCharacter + 1> bytes{};
  bytes.fill(-1);
  std::size_t next = 256;
  for (std::int16_t byte = 0; byte < 256; ++byte) {
    const bool itself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    bytes[itself ? static_cast<std::size_t>(byte) : next++] = byte;
  }
  return bytes;
}

constexpr auto kBytes = make_bytes();

/// Character of each byte.
constexpr std::array<std::uint16_t, 256> make_characters() {
  std::array<std::uint16_t, 256> characters{};
  for (std::uint16_t character = 0; character <= kLastCharacter; ++character)
    if (kBytes[character] >= 0) characters[static_cast<std::size_t>(kBytes[character])] = character;
  return characters;
}

constexpr auto kCharacters = make_characters();

}  // namespace

std::optional<std::string> bytes_of_byte_level(std::string_view token) {
  std::string bytes;
  for (std::size_t i = 0; i < token.size(); ++i) {
    auto character = static_cast<std::uint32_t>(static_cast<unsigned char>(token[i]));
    if (character >= 0xE0) return std::nullopt;  // three bytes or more: above U+07FF
    if (character >= 0x80)
      character = (character & 0x1FU) << 6 | (static_cast<unsigned char>(token[++i]) & 0x3FU);
    if (character > kLastCharacter || kBytes[character] < 0) return std::nullopt;
    bytes += static_cast<char>(kBytes[character]);
  }
  return bytes;
}

std::string byte_level_of_bytes(std::string_view bytes) {
  std::string token;
  for (const char byte : bytes) {
    const std::uint16_t character = kCharacters[static_cast<unsigned char>(byte)];
    if (character < 0x80) {
      token += static_cast<char>(character);
    } else {
      token += static_cast<char>(0xC0 | character >> 6);
      token += static_cast<char>(0x80 | (character & 0x3F));
    }
  }
  return token;
}

}  // namespace tandem
