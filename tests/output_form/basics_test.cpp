#include "catch.hpp"
#include "octavo/output_form.hpp"
TEST_CASE("x") { CHECK(octavo::OutputForm::example("int").matches("12")); }
