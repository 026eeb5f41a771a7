// The byte-level alphabet of GPT-2: every byte is written as one printable character.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tandem {

/// The bytes that a byte-level token stands for; nothing when it has a character outside the alphabet.
/// `token`: valid UTF-8.
std::optional<std::string> bytes_of_byte_level(std::string_view token);

/// Bytes written in the alphabet; the inverse of bytes_of_byte_level().
std::string byte_level_of_bytes(std::string_view bytes);

}  // namespace tandem
