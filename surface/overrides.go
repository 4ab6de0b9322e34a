package surface

// Override is what people set for one tool in toolpack.yaml. Nil and empty
// fields leave the compiled value.
type Override struct {
	Rename      string  `json:"rename,omitempty" yaml:"rename,omitempty"`
	Title       *string `json:"title,omitempty" yaml:"title,omitempty"`
	Description *string `json:"description,omitempty" yaml:"description,omitempty"`
	// Fixed gives arguments a value that agents can no longer set.
	Fixed map[string]any `json:"fixed,omitempty" yaml:"fixed,omitempty"`
	// Arguments tightens single arguments with JSON Schema keywords.
	Arguments map[string]map[string]any `json:"arguments,omitempty" yaml:"arguments,omitempty"`
	Risk      Risk                      `json:"risk,omitempty" yaml:"risk,omitempty"`
	Confirm   Confirm                   `json:"confirm,omitempty" yaml:"confirm,omitempty"`
	Limits    *LimitsOverride           `json:"limits,omitempty" yaml:"limits,omitempty"`
	Redact    []string                  `json:"redact,omitempty" yaml:"redact,omitempty"`
	Toolsets  []string                  `json:"toolsets,omitempty" yaml:"toolsets,omitempty"`
	Expires   string                    `json:"expires,omitempty" yaml:"expires,omitempty"`
}

// LimitsOverride replaces single limits; zero leaves the compiled value.
type LimitsOverride struct {
	Rate          int   `json:"rate,omitempty" yaml:"rate,omitempty"`
	ResponseBytes int64 `json:"response_bytes,omitempty" yaml:"response_bytes,omitempty"`
	Timeout       int   `json:"timeout,omitempty" yaml:"timeout,omitempty"`
}
