// Ctrl-C as a stop token: the first one asks the command to finish what it can keep, the second ends the
// process.
#pragma once

#include <stop_token>
#include <thread>

namespace tandem::cli {

/// Made before any other thread starts, so that all of them leave SIGINT and SIGTERM to this one.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const { return m_stop.get_token(); }

 private:
  std::stop_source m_stop;
  std::jthread m_watcher;
};

}  // namespace tandem::cli
