// What every stored result says about its origin: when, with which version, on which processor.
#pragma once

#include <string>

namespace tandem {

/// Tandem's version, "0.1.0".
const char* tandem_version();

/// Now, as ISO 8601 in UTC: "2025-01-31T12:00:00Z".
std::string utc_now();

/// The processor's name as the system gives it: "AMD EPYC 7763".
std::string processor_name();

/// "AMD EPYC 7763, 2 threads": the processor's name as the system gives it, and the threads used.
std::string device_name(int threads);

}  // namespace tandem
