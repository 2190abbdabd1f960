function test_a_text_without_terms_stays_the_same()
  local text = "Nothing to see here, `really`."
  assert(prepare(text) == text)
end

function test_many_open_backticks_are_no_problem()
  local text = ("` crm "):rep(2000)
  assert_equal(#prepare(text .. "`") > 0, true)
end
