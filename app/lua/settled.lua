-- The end of settle.lua, and of roll.lua behind it.
flush()
flush_rows()
return answer
