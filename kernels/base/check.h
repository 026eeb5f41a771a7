// TANDEM_CHECK: for what only a bug can cause. Aborts in every build, with the values in the message.
#pragma once

#include <string>

namespace tandem {

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& message);

}  // namespace tandem

#define TANDEM_CHECK(condition, message)                                               \
  do {                                                                                 \
    if (!(condition)) ::tandem::check_failed(__FILE__, __LINE__, #condition, message); \
  } while (false)

#ifdef NDEBUG
#define TANDEM_DCHECK(condition, message) ((void)0)
#else
#define TANDEM_DCHECK(condition, message) TANDEM_CHECK(condition, message)
#endif
