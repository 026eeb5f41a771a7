// Colours, fonts and the light and dark themes. One place; every widget and plot asks it.
#pragma once

#include <QColor>
#include <QFont>
#include <QObject>

namespace tandem::ui {

enum class Side { Teacher = 0, Student = 1 };
enum class ThemeMode { Auto, Light, Dark };

struct Colors {
  bool dark = false;
  QColor background, surface, text, secondaryText, border, grid;
  QColor teacher, teacherWash, student, studentWash;
  QColor majority, reward, correct, wrong, warning, focus, hatch;
  const QColor& side(Side s) const { return s == Side::Teacher ? teacher : student; }
  const QColor& wash(Side s) const { return s == Side::Teacher ? teacherWash : studentWash; }
};

/// Confined to the GUI thread.
class Theme : public QObject {
  Q_OBJECT
 public:
  static Theme& instance();
  const Colors& colors() const { return m_colors; }
  ThemeMode mode() const { return m_mode; }
  void setMode(ThemeMode mode);  // sets the application's palette and emits changed()
  static Colors light();
  static Colors darkColors();
  static QFont monospace(int pointSize = 10);  // tokens and numbers: tabular figures

 signals:
  void changed();

 private:
  Theme();
  ThemeMode m_mode = ThemeMode::Auto;
  Colors m_colors;
};

}  // namespace tandem::ui
