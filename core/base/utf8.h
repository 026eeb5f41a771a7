// Whether bytes are UTF-8 (RFC 3629): what JSON files and the window can carry.
#pragma once

#include <string_view>

namespace tandem {

/// Shortest forms only, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view bytes);

}  // namespace tandem
