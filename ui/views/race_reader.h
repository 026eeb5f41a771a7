// Reads one problem's completions, speeds and vote from a session. Touches the disk: call it off the GUI
// thread.
#pragma once

#include <array>
#include <memory>

#include <QString>

#include "core/models/model.h"
#include "core/session/session.h"
#include "ui/views/race_side.h"

namespace tandem::ui {

struct RaceQuery {
  std::shared_ptr<tandem::Session> session;
  std::int64_t problemId = -1;
  bool graded = true;
  std::array<std::int64_t, 2> runIds{-1, -1};
  std::array<std::shared_ptr<const tandem::Model>, 2> models;  // for their tokenizers; may be null
};

struct RaceAnswer {
  std::array<StoredSide, 2> sides;
  QString preference;  // of the last vote; empty: none
  QString error;
};

RaceAnswer readRace(const RaceQuery& query);

}  // namespace tandem::ui
