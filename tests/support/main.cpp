// The one main of every test program, and the one place that knows which Catch2 it is. A run of no test case fails: a
// name that the runner or the shell took apart would pass without testing anything (Catch2 3 does so by itself).
#ifndef OCTAVO_CATCH2_V3
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
int main(int argc, char* argv[]) {
  Catch::Session session;
  if (const int refused = session.applyCommandLine(argc, argv); refused != 0) return refused;
  session.configData().warnings =
      static_cast<Catch::WarnAbout::What>(session.configData().warnings | Catch::WarnAbout::NoTests);
  return session.run();
}
#else
#include <catch2/catch_session.hpp>
int main(int argc, char* argv[]) { return Catch::Session().run(argc, argv); }
#endif
