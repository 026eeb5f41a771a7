// The published pairs that Tandem reads, by name.
#pragma once

#include <QString>

namespace tandem::ui {

/// Rich text: who publishes what under which licence, and what to know before opening it.
QString publicModelsText();

}  // namespace tandem::ui
