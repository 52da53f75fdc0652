// There is nothing to compile here: this target stands for the programs that an installation runs, so that scripts/up.sh builds them,
// and only them, in one go.
