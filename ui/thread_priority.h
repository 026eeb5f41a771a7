// Long computations yield the processor to the window.
#pragma once

namespace tandem::ui {

/// Lowers this thread's priority and that of every thread started from it.
void lowerPriority();

}  // namespace tandem::ui
