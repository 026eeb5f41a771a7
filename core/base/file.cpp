#include "core/base/file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tandem {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

Error io_error(const std::string& path, const char* what) {
  const ErrorCode code = errno == ENOENT || errno == ENOTDIR ? ErrorCode::NotFound : ErrorCode::Io;
  return {code, path + ": cannot " + what + ": " + std::strerror(errno)};
}

struct OpenFile {
  Descriptor descriptor;
  std::int64_t size = 0;
};

Result<OpenFile> open_regular(const std::string& path) {
  OpenFile file{Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK))};
  if (file.descriptor.get() < 0) return io_error(path, "open");
  struct stat status {};
  if (::fstat(file.descriptor.get(), &status) != 0) return io_error(path, "inspect");
  if (!S_ISREG(status.st_mode)) return Error{ErrorCode::Io, path + ": not a regular file"};
  file.size = status.st_size;
  return file;
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

bool write_parts(const std::string& path, std::span<const std::string_view> parts) {
  std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "wbe"));
  if (!file) return false;
  for (const std::string_view part : parts)
    if (!part.empty() && std::fwrite(part.data(), 1, part.size(), file.get()) != part.size()) return false;
  if (std::fflush(file.get()) != 0 || ::fsync(::fileno(file.get())) != 0) return false;
  return std::fclose(file.release()) == 0;
}

}  // namespace

Status write_file(const std::string& path, std::span<const std::string_view> parts) {
  const std::string temporary = path + '.' + std::to_string(::getpid()) + ".part";
  if (write_parts(temporary, parts) && std::rename(temporary.c_str(), path.c_str()) == 0) return {};
  const Error error{ErrorCode::Io, path + ": cannot write: " + std::strerror(errno)};
  std::remove(temporary.c_str());
  return error;
}

Result<std::string> read_file(const std::string& path, std::int64_t max_bytes) {
  TANDEM_TRY(const OpenFile file, open_regular(path));
  if (file.size > max_bytes)
    return Error{ErrorCode::OutOfRange, path + ": holds " + std::to_string(file.size) + " bytes, at most " +
                                            std::to_string(max_bytes) + " are read"};
  std::string text(static_cast<std::size_t>(file.size), '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t count = ::read(file.descriptor.get(), text.data() + filled, text.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return io_error(path, "read");
    if (count == 0) return Error{ErrorCode::Io, path + ": became shorter while it was read"};
    filled += static_cast<std::size_t>(count);
  }
  return text;
}

Result<MappedFile> MappedFile::open(const std::string& path) {
  TANDEM_TRY(const OpenFile file, open_regular(path));
  if (file.size == 0) return MappedFile({});
  const auto size = static_cast<std::size_t>(file.size);
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.descriptor.get(), 0);
  if (memory == MAP_FAILED) return io_error(path, "map");
  return MappedFile({static_cast<const std::byte*>(memory), size});
}

void MappedFile::release(std::uint64_t begin, std::uint64_t end) const {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  begin = (begin + page - 1) / page * page;  // a page that others share stays
  end = end / page * page;
  if (begin < end)
    ::madvise(const_cast<std::byte*>(bytes_.data()) + begin, static_cast<std::size_t>(end - begin),
              MADV_DONTNEED);
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace tandem
