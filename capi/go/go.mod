module octavo

go 1.19
