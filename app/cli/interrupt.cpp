#include "app/cli/interrupt.h"

#include <csignal>
#include <cstdlib>

#include <fmt/format.h>

namespace tandem::cli {
namespace {

sigset_t watchedSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

Interrupt::Interrupt() {
  const sigset_t signals = watchedSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  m_watcher = std::jthread([this, signals](const std::stop_token& ended) {
    for (int signal = 0; sigwait(&signals, &signal) == 0 && !ended.stop_requested();) {
      if (m_stop.stop_requested()) std::_Exit(1);
      m_stop.request_stop();
      fmt::print(stderr, "\ntandem-cli: stopping, what is finished is kept (again to quit at once)\n");
    }
  });
}

Interrupt::~Interrupt() {
  m_watcher.request_stop();
  pthread_kill(m_watcher.native_handle(), SIGTERM);  // wakes it
}

}  // namespace tandem::cli
