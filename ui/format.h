// How numbers read in the window: three significant digits, unknown is "–". Files use the C locale instead.
#pragma once

#include <cstdint>

#include <QString>

namespace tandem::ui {

/// "340 ms", "5.1 s", "2 min 04 s"; "–" for negative or not finite.
QString formatSeconds(double seconds);
/// "171 tok/s".
QString formatRate(double tokensPerSecond);
/// "512 B", "2.9 GiB".
QString formatBytes(double bytes);
/// "12 345" with thin spaces.
QString formatCount(std::int64_t count);
/// "+0.07", "−0.02" (U+2212): a difference always carries its sign.
QString formatDelta(double value, int decimals = 2);
/// Three significant digits, "–" when not finite.
QString formatNumber(double value);

}  // namespace tandem::ui
