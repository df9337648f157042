module example.org/quern

go 1.19
