// Where the files shipped with Tandem (bundled models, bundled problems) are found at run time.
#pragma once

#include <string>
#include <string_view>

namespace tandem {

/// Path of a shipped file or folder, for example "problems/pocket.jsonl". Looked for, in this order, in the
/// folder named by the environment variable TANDEM_RESOURCES, in ../resources and ../share/tandem/resources
/// seen from the executable, and in the source tree. When no folder has it, the path in the source tree is
/// returned, so that opening it gives an error with a name in it.
std::string resource_path(std::string_view relative);

}  // namespace tandem
