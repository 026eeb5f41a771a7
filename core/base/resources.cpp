#include "core/base/resources.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

namespace tandem {

std::string resource_path(std::string_view relative) {
  namespace fs = std::filesystem;
  std::vector<fs::path> folders;
  if (const char* chosen = std::getenv("TANDEM_RESOURCES"); chosen != nullptr && *chosen != '\0')
    folders.emplace_back(chosen);
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    const fs::path prefix = executable.parent_path().parent_path();
    folders.push_back(prefix / "resources");
    folders.push_back(prefix / "share/tandem/resources");
  }
  folders.emplace_back(TANDEM_SOURCE_RESOURCES);
  for (const fs::path& folder : folders)
    if (fs::exists(folder / relative, error)) return (folder / relative).string();
  return (folders.back() / relative).string();
}

}  // namespace tandem
