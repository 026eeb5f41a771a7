#include "ui/thread_priority.h"

#include <sys/resource.h>
#include <unistd.h>

namespace tandem::ui {

void lowerPriority() {
  constexpr int kNice = 5;
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);  // Linux keeps it per thread
}

}  // namespace tandem::ui
